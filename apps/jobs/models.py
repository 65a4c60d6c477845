"""The facts about jobs. Rows are the truth; each change of status is one conditional UPDATE (in queue and closing)."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from apps.jobs.batches.models import Batch, BatchItem, StoredFile
from apps.jobs.idempotency import IdempotentRequest
from apps.jobs.ids import floor_id
from apps.jobs.jsontext import JsonTextField
from apps.jobs.noticemodels import DriftNotice
from apps.jobs.rollups import Drift, ProjectRollup, Rollup
from apps.jobs.taskmodels import Approval, Delivery, Session
from apps.keys.rates import RateState

if TYPE_CHECKING:
    from apps.keys.models import Project


__all__ = [
    "CLOSED",
    "OPEN",
    "Batch",
    "BatchItem",
    "Call",
    "Drift",
    "DriftNotice",
    "IdempotentRequest",
    "Job",
    "JobEvent",
    "JobEventQuerySet",
    "JobQuerySet",
    "Lane",
    "ProjectRollup",
    "Rollup",
    "Status",
    "StoredFile",
]


__all__ = ["CLOSED", "OPEN", "Approval", "Call", "Delivery", "Job", "JobEvent", "Lane", "Session", "Status"]


class Status(models.TextChoices):
    """Where a job is in its life. OpenAI's words."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Lane(models.IntegerChoices):
    """Who waits for the answer: a person, or a file. Lower goes first."""

    INTERACTIVE = 0
    BATCH = 1


OPEN = (Status.QUEUED, Status.IN_PROGRESS)
CLOSED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
_ENDED_BADLY = Q(status="failed") | Q(status="cancelled")
"""Of an index. Not `IN`: from one of the two SQLite does not conclude that it is among both."""


class JobQuerySet(models.QuerySet["Job"]):
    """Questions about jobs. What a key asks begins with `of`."""

    def of(self, project: "Project") -> "JobQuerySet":
        """Those of one project."""
        return self.filter(project=project)

    def queued(self) -> "JobQuerySet":
        """Those no worker has taken."""
        return self.filter(status=Status.QUEUED)

    def running(self) -> "JobQuerySet":
        """Those a worker has taken and nobody has closed."""
        return self.filter(status=Status.IN_PROGRESS)

    def unfinished(self) -> "JobQuerySet":
        """Queued or running."""
        return self.filter(status__in=OPEN)

    def still_open(self, project_id: int | None = None) -> "JobQuerySet":
        """Queued or running, of a project or of all: few among many, through the small indexes that have them."""
        queued, running = Job.objects.queued().filter(lane__in=Lane.values), Job.objects.running()
        if project_id is not None:
            queued, running = queued.filter(project_id=project_id), running.filter(project_id=project_id)
        return self.filter(pk__in=queued.values("pk").union(running.values("pk"), all=True))

    def of_session(self, session_id: str) -> "JobQuerySet":
        """Those of a session; SQLite must be told that it has an id to use the index of those that have."""
        return self.filter(session_id=session_id).exclude(session_id="")

    def of_batch(self, *batch_ids: str) -> "JobQuerySet":
        """Those of batches; said twice for the same reason."""
        return self.filter(batch_id__in=batch_ids).exclude(batch_id="")

    def closed(self) -> "JobQuerySet":
        """Those that have ended."""
        return self.filter(status__in=CLOSED)

    def held_by(self, worker: str) -> "JobQuerySet":
        """Those a worker runs."""
        return self.running().filter(worker=worker)

    def lease_over(self, now: datetime) -> "JobQuerySet":
        """Running ones whose worker has not been heard of for the length of a lease."""
        return self.running().filter(lease_until__lte=now)

    def waited_too_long(self, now: datetime) -> "JobQuerySet":
        """Queued ones that nobody needs any more."""
        return self.queued().filter(expires_at__lte=now)

    def newest_first(self) -> "JobQuerySet":
        """By id, which sorts by time."""
        return self.order_by("-id")


class Job(models.Model):
    """One piece of work for the engine and everything known about it."""

    id = models.CharField(primary_key=True, max_length=36)
    kind = models.CharField(max_length=16, default="chat")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    lane = models.PositiveSmallIntegerField(choices=Lane.choices, default=Lane.INTERACTIVE)
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="jobs", db_index=False)
    api_key = models.ForeignKey("keys.ApiKey", on_delete=models.PROTECT, related_name="jobs", db_index=False)
    request_id = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=64)
    requested_model = models.CharField(max_length=64)
    route: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """Why this model answers, where the caller asked for `auto`."""
    request: "JsonTextField[object, dict[str, Any]]" = JsonTextField()
    grant: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """What the key was granted when the job was submitted: what the engine runs with."""
    session_id = models.CharField(max_length=64, blank=True)
    batch_id = models.CharField(max_length=64, blank=True)
    batch_index = models.PositiveIntegerField(null=True)

    result: "JsonTextField[str | None, str | None]" = JsonTextField(null=True)
    details: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """What the run left besides its text, where it left any: see `apps.jobs.details`."""
    stop_reason = models.CharField(max_length=32, blank=True)
    stop_sequence: "JsonTextField[str | None, str | None]" = JsonTextField(null=True)
    error_code = models.CharField(max_length=32, blank=True)
    error_message = models.TextField(blank=True)
    upstream_status = models.PositiveSmallIntegerField(null=True)
    retry_after_seconds = models.FloatField(null=True)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cache_read_input_tokens = models.PositiveBigIntegerField(default=0)
    cache_creation_input_tokens = models.PositiveBigIntegerField(default=0)
    cost_microusd = models.PositiveBigIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    cli_cost_microusd = models.PositiveBigIntegerField(null=True)
    cap_microusd = models.PositiveBigIntegerField()

    worker = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    last_sequence_number = models.PositiveIntegerField(default=0, help_text="The terminal event's; 0 while open.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(help_text="A job still queued then is closed as expired.")

    rate: "RateState | None" = None
    """Where the limits of its key stood when it was submitted; known only to who submitted it."""

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="job_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=OPEN, finished_at=None) | Q(status__in=CLOSED, finished_at__isnull=False),
                name="job_finished_when_closed",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.IN_PROGRESS) | Q(lease_until__isnull=False, started_at__isnull=False),
                name="job_running_has_lease",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "project", "id"], condition=Q(status="queued"), name="job_queue"),
            models.Index(fields=["project"], condition=Q(status="in_progress"), name="job_running"),
            models.Index(fields=["worker"], condition=Q(status="in_progress"), name="job_held"),
            # Kind and model are for those who look for what is rare: they are compared without reading the rows.
            models.Index(fields=["project", "id", "kind", "model"], name="job_project"),
            models.Index(fields=["project", "status", "id"], condition=_ENDED_BADLY, name="job_ended_badly"),
            models.Index(fields=["id", "kind", "model"], name="job_anywhere"),
            models.Index(fields=["status", "id"], condition=_ENDED_BADLY, name="job_ended_badly_anywhere"),
            models.Index(fields=["error_code", "id"], condition=Q(error_code__gt=""), name="job_error"),
            models.Index(fields=["api_key", "id"], name="job_key"),
            models.Index(fields=["session_id", "id"], condition=~Q(session_id=""), name="job_session"),
            models.Index(fields=["batch_id", "batch_index"], condition=~Q(batch_id=""), name="job_batch"),
            models.Index(fields=["batch_id"], condition=Q(status__in=OPEN) & ~Q(batch_id=""), name="job_batch_open"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, as far as this object knows."""
        return self.status in OPEN


class JobEventQuerySet(models.QuerySet["JobEvent"]):
    """Questions about stored transcripts."""

    def of_jobs(self, job_ids: Iterable[str]) -> "JobEventQuerySet":
        """The events of these jobs, in the order they happened."""
        return self.filter(job_id__in=job_ids).order_by("job_id", "sequence_number")

    def older_than(self, moment: datetime) -> "JobEventQuerySet":
        """Those of jobs that were submitted before."""
        return self.filter(job_id__lt=floor_id(moment))


class JobEvent(models.Model):
    """One event of a closed job's transcript. The terminal event is not stored: it is made from the job's row."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events", db_index=False)
    sequence_number = models.PositiveIntegerField()
    type = models.CharField(max_length=16)
    data: "JsonTextField[object, dict[str, object]]" = JsonTextField()

    objects = JobEventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "sequence_number"], name="job_event_once")]


class Call(models.Model):
    """One metered upstream call. A job's bill is the sum of its calls."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="calls", db_index=False)
    call_id = models.CharField(max_length=64)
    model = models.CharField(max_length=128)
    input_tokens = models.PositiveBigIntegerField()
    output_tokens = models.PositiveBigIntegerField()
    cache_read_input_tokens = models.PositiveBigIntegerField()
    cache_creation_5m_input_tokens = models.PositiveBigIntegerField()
    cache_creation_1h_input_tokens = models.PositiveBigIntegerField()
    cost_microusd = models.PositiveBigIntegerField()
    priced = models.BooleanField(help_text="No: the price table does not know the model; the cost is 0 and wrong.")
    estimated = models.BooleanField(help_text="Yes: the answer was cut; its output is estimated from what was seen.")
    status = models.PositiveSmallIntegerField(help_text="HTTP status of the upstream; 0: there was none.")
    price_version = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    duration_seconds = models.FloatField()
    first_token_seconds = models.FloatField(null=True)

    objects = models.Manager["Call"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "call_id"], name="call_billed_once")]
