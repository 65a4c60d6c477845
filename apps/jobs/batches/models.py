"""The facts about batches, their items and the files that go in and come out."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from apps.jobs.jsontext import JsonTextField

if TYPE_CHECKING:
    from datetime import datetime

    from apps.keys.models import Project


class BatchStatus(models.TextChoices):
    """Where a batch is in its life. OpenAI's words."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


UNFINISHED = (
    BatchStatus.VALIDATING,
    BatchStatus.IN_PROGRESS,
    BatchStatus.FINALIZING,
    BatchStatus.CANCELLING,
)
FINISHED = (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED)


class BatchQuerySet(models.QuerySet["Batch"]):
    """Questions about batches. What a key asks begins with `of`."""

    def of(self, project: "Project") -> "BatchQuerySet":
        """Those of one project."""
        return self.filter(project=project)

    def from_files(self) -> "BatchQuerySet":
        """Those that came as a file."""
        return self.exclude(input_file_id="")

    def unfinished(self) -> "BatchQuerySet":
        """Those with something left to do."""
        return self.filter(status__in=UNFINISHED)

    def finished(self) -> "BatchQuerySet":
        """Those that have ended."""
        return self.filter(status__in=FINISHED)

    def newest_first(self) -> "BatchQuerySet":
        """By id, which sorts by time."""
        return self.order_by("-id")


class Batch(models.Model):
    """Up to 10,000 requests that are asked together and answered when there is room."""

    id = models.CharField(primary_key=True, max_length=38)
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="batches", db_index=False)
    api_key = models.ForeignKey("keys.ApiKey", on_delete=models.PROTECT, related_name="batches", db_index=False)
    request_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16, choices=BatchStatus.choices, default=BatchStatus.VALIDATING)
    ending = models.CharField(max_length=16, choices=BatchStatus.choices, default=BatchStatus.COMPLETED)
    """What it will have ended as once the last of its jobs has."""
    endpoint = models.CharField(
        max_length=64, blank=True, help_text="Of the lines of its file; empty: it came without."
    )
    input_file_id = models.CharField(max_length=64, blank=True)
    output_file_id = models.CharField(max_length=64, blank=True)
    error_file_id = models.CharField(max_length=64, blank=True)
    completion_window = models.CharField(max_length=8, default="24h")
    metadata: "JsonTextField[object, dict[str, str] | None]" = JsonTextField(null=True)
    errors: "JsonTextField[object, list[dict[str, Any]] | None]" = JsonTextField(null=True)
    """Why its file could not be used, line by line."""
    patient = models.BooleanField(
        default=False, help_text="Whether items that the budget cannot pay wait; else they are refused."
    )
    waits_for: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """What it needs before it asks more: code, message, and in Unix seconds when that comes by itself, if known."""
    tries_again_at = models.DateTimeField(null=True)
    total = models.PositiveIntegerField()
    completed = models.PositiveIntegerField(default=0, help_text="Items that were answered; counted at the end.")
    failed = models.PositiveIntegerField(default=0, help_text="Items that were not.")
    cost_microusd = models.PositiveBigIntegerField(default=0, help_text="Of all its jobs; counted at the end.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    cancelling_at = models.DateTimeField(null=True)
    finalizing_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(help_text="What is not answered by then is not asked any more.")

    objects = BatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "batches"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=BatchStatus.values), name="batch_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=UNFINISHED, finished_at=None)
                | Q(status__in=FINISHED, finished_at__isnull=False),
                name="batch_finished_when_closed",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="batch_project"),
            models.Index(fields=["status"], condition=Q(finished_at=None), name="batch_unfinished"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, as far as this object knows."""
        return self.status in UNFINISHED


class BatchItemQuerySet(models.QuerySet["BatchItem"]):
    """Questions about items."""

    def of(self, batch_id: str) -> "BatchItemQuerySet":
        """Those of one batch."""
        return self.filter(batch_id=batch_id)

    def waiting(self) -> "BatchItemQuerySet":
        """Those that have neither a job nor a reason for having none."""
        return self.filter(waiting=True)

    def in_order(self) -> "BatchItemQuerySet":
        """As they were sent."""
        return self.order_by("index")


class BatchItem(models.Model):
    """One request of a batch: waiting, or with its job, or refused before there was one."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items", db_index=False)
    index = models.PositiveIntegerField()
    custom_id = models.CharField(max_length=128, blank=True)
    kind = models.CharField(max_length=16, blank=True)
    waiting = models.BooleanField(default=True)
    request: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """What the job will be asked, while it waits."""
    share_microusd = models.PositiveBigIntegerField(default=0, help_text="Its part of the batch's hold.")
    share_tokens = models.PositiveBigIntegerField(default=0)
    job_id = models.CharField(max_length=36, blank=True)
    error: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """Why there is no job: code, message, and where known the HTTP status and the parameter."""

    objects = BatchItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "index"], name="batch_item_once"),
            models.CheckConstraint(condition=Q(waiting=False) | Q(job_id=""), name="batch_item_waits_without_job"),
        ]
        indexes = [
            models.Index(fields=["batch", "index"], condition=Q(waiting=True), name="batch_item_waiting"),
        ]


class StoredFileQuerySet(models.QuerySet["StoredFile"]):
    """Questions about files."""

    def of(self, project: "Project") -> "StoredFileQuerySet":
        """Those of one project."""
        return self.filter(project=project)

    def newest_first(self) -> "StoredFileQuerySet":
        """By id, which sorts by time."""
        return self.order_by("-id")


class StoredFile(models.Model):
    """A file of a project. Its content is below `DATA_DIR/files`."""

    id = models.CharField(primary_key=True, max_length=38)
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="files", db_index=False)
    purpose = models.CharField(max_length=32)
    filename = models.CharField(max_length=255)
    size_bytes = models.PositiveBigIntegerField()
    created_at: "models.DateTimeField[datetime, datetime]" = models.DateTimeField()

    objects = StoredFileQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "id"], name="stored_file_project")]

    def __str__(self) -> str:
        return self.id
