"""What a task of a session finds in its workspace: the files that the tasks before it were given and left.

A workspace lives as long as its task. What goes over to the next one is made anew from the rows and the kept artifacts,
later files in the place of earlier ones; a file that a task deleted comes back.
"""

from collections.abc import Iterator

from apps.claude.taskspec import File
from apps.jobs import artifacts, details
from apps.jobs.artifacts import ArtifactGone, ArtifactNotFound
from apps.jobs.ids import floor_id
from apps.jobs.models import Job, Session
from apps.jobs.taskrequests import TaskRequest

MAX_JOBS = 50
MAX_BYTES = 64 * 1024 * 1024
_MAX_FORKS = 10


def carried(job: Job) -> tuple[File, ...]:
    """The files of the tasks before this one in its session, oldest dropped first where they are too many."""
    files: dict[str, File] = {}
    size = 0
    for before in _before(job):
        for file in _left_by(before):
            if file.name in files or _clashes(file.name, files):
                continue
            size += len(file.content)
            if size > MAX_BYTES:
                return tuple(files.values())
            files[file.name] = file
    return tuple(files.values())


def together(carried: tuple[File, ...], sent: tuple[File, ...]) -> tuple[File, ...]:
    """What is sent with the task takes the place of what was carried over."""
    names = {file.name: file for file in sent}
    return (*sent, *(file for file in carried if file.name not in names and not _clashes(file.name, names)))


def _before(job: Job) -> Iterator[Job]:
    """The tasks that this one goes on from, the last one first; a fork's begin with those of its origin."""
    session = Session.objects.filter(pk=job.session_id).first()
    limit = job.pk
    for _ in range(_MAX_FORKS):
        if session is None:
            return
        earlier = Job.objects.of_session(session.pk).filter(kind=TaskRequest.kind, project_id=job.project_id)
        yield from earlier.filter(pk__lt=limit).order_by("-id")[:MAX_JOBS].iterator(1)
        if not session.forked_from:
            return
        limit = floor_id(session.created_at)
        session = Session.objects.filter(pk=session.forked_from).first()


def _left_by(job: Job) -> Iterator[File]:
    for each in details.read(job.details)["artifacts"]:
        try:
            found = artifacts.open_artifact(job=job, name=each["name"])
        except (ArtifactNotFound, ArtifactGone):
            continue
        with found.file:
            yield File(name=each["name"], content=found.file.read(MAX_BYTES))
    yield from TaskRequest.from_json(job.request).files


def _clashes(name: str, others: dict[str, File]) -> bool:
    """Whether one of them is a folder of the other."""
    return any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in others)
