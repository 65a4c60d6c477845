"""What pages ask of jobs: every list is a page by keys, nothing is counted to the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.jobs.models import OPEN, Call, Job, JobQuerySet, Status
from apps.keys.models import ApiKey, Project

PAGE = 50
KINDS = ("chat", "task")
STATUSES = {"open": "Open", **{str(status): str(status.label) for status in Status}}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address says of a list of jobs; anything unknown filters nothing."""

    status: str = ""
    kind: str = ""
    model: str = ""
    key: str = ""
    batch: str = ""
    session: str = ""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "Filters":
        """Those of an address."""
        status = parameters.get("status", "")
        given = {name: parameters.get(name, "")[:100] for name in ("kind", "model", "key", "batch", "session")}
        return cls(status=status if status in STATUSES else "", **given)

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return any((self.status, self.kind, self.model, self.key, self.batch, self.session))

    def apply(self, jobs: JobQuerySet) -> JobQuerySet:
        """Those of the jobs that pass."""
        exact = {"kind": self.kind, "model": self.model}
        jobs = jobs.filter(**{name: value for name, value in exact.items() if value})
        # Apart, or the database walks through all jobs in the order of the list.
        if self.batch:
            jobs = jobs.filter(pk__in=Job.objects.of_batch(self.batch).values("pk"))
        if self.session:
            jobs = jobs.filter(pk__in=Job.objects.of_session(self.session).values("pk"))
        if self.key:
            jobs = jobs.filter(api_key__public_id=self.key)
        if self.status in ("open", *OPEN):
            jobs = jobs.still_open()
        return jobs.filter(status=self.status) if self.status not in ("", "open") else jobs


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of jobs, newest first, and the id that the next older one begins below."""

    jobs: Sequence[Job]
    older: str | None


def listed(project: Project, filters: Filters, *, before: str = "", size: int = PAGE) -> Slice:
    """A page of the project's jobs."""
    jobs = filters.apply(Job.objects.of(project)).newest_first()
    if before:
        jobs = jobs.filter(pk__lt=before)
    found = list(light(jobs)[: size + 1])
    return Slice(found[:size], found[size - 1].pk if len(found) > size else None)


def running(project: Project, *, most: int = 8) -> list[Job]:
    """What runs or waits now, oldest first."""
    return list(light(Job.objects.still_open(project.pk).order_by("pk"))[:most])


def one(project: Project, job_id: str) -> Job | None:
    """A job of the project with everything its page shows."""
    return Job.objects.of(project).filter(pk=job_id).select_related("project", "api_key").first()


def calls(job: Job) -> list[Call]:
    """Its metered calls in their order."""
    return list(Call.objects.filter(job=job).order_by("started_at", "pk"))


def keys_of(project: Project) -> list[ApiKey]:
    """For the filter: the newest keys."""
    return list(ApiKey.objects.filter(project=project).only("public_id", "name", "revoked_at").order_by("-pk")[:100])


def prompt_of(job: Job) -> str:
    """What was asked, in one line; only for people who may see the job."""
    request = job.request
    text = _words(request.get("prompt") or request.get("description"))
    for turn in reversed(request.get("turns") or ()):
        if text or turn.get("role") != "user":
            continue
        text = _words(turn.get("content"))
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:199] + "…"


def _words(content: object) -> str:
    if not isinstance(content, list):
        return str(content or "")
    return " ".join(str(block.get("text", "")) for block in content if isinstance(block, dict))


def light(jobs: JobQuerySet) -> JobQuerySet:
    """Without the texts of answers: a page of a hundred long ones would weigh megabytes."""
    return jobs.select_related("api_key", "project").defer("result", "details", "route", "grant", "error_message")
