"""The facts about tasks besides their jobs: conversations that go on, calls that wait for a yes, webhooks to send."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from apps.jobs.jsontext import JsonTextField
from apps.keys.outgoing import Outgoing, OutgoingQuerySet

if TYPE_CHECKING:
    from apps.jobs.models import Job
    from apps.keys.models import Project


class SessionQuerySet(models.QuerySet["Session"]):
    """Questions about sessions. What a key asks begins with `of`."""

    def of(self, project: "Project") -> "SessionQuerySet":
        """Those of one project."""
        return self.filter(project=project)

    def unused_since(self, moment: datetime) -> "SessionQuerySet":
        """Those that nobody has continued since."""
        return self.filter(last_used_at__lt=moment)


class Session(models.Model):
    """A conversation that jobs of a project continue, one after the other."""

    id = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=16, help_text="chat or task, as its jobs.")
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="sessions", db_index=False)
    forked_from = models.CharField(max_length=64, blank=True)
    last_job_id = models.CharField(max_length=36, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "id"], name="session_project"),
            models.Index(fields=["last_used_at"], name="session_used"),
        ]

    def __str__(self) -> str:
        return self.id


class ApprovalQuerySet(models.QuerySet["Approval"]):
    """Questions about approvals."""

    def waiting(self, now: datetime) -> "ApprovalQuerySet":
        """Those that somebody can still decide."""
        return self.filter(decision="", expires_at__gt=now, job__status="in_progress")

    def decided(self) -> "ApprovalQuerySet":
        """Those that somebody, or time, has decided."""
        return self.exclude(decision="")


class Approval(models.Model):
    """A tool call that waits, or waited, for somebody's yes."""

    job: "models.ForeignKey[Job, Job]" = models.ForeignKey(
        "jobs.Job", on_delete=models.CASCADE, related_name="approvals", db_index=False
    )
    call_id = models.CharField(max_length=128)
    tool = models.CharField(max_length=200)
    input: "JsonTextField[object, dict[str, Any]]" = JsonTextField()
    """Exactly what would run."""
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Then it is denied.")
    decision = models.CharField(
        max_length=8, blank=True, choices=[("once", "once"), ("job", "for this job"), ("deny", "denied")]
    )
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "call_id"], name="approval_of_a_call_once"),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None) | ~Q(decision="") & Q(decided_at__isnull=False),
                name="approval_decided_at",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(decision=""), name="approval_waiting")]

    def __str__(self) -> str:
        return f"{self.tool} of {self.job_id}"


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    """Questions about what is to be sent."""


class Delivery(Outgoing):
    """Word of a job's end on its way to the URL that its request named."""

    job: "models.OneToOneField[Job, Job]" = models.OneToOneField(
        "jobs.Job", on_delete=models.CASCADE, related_name="delivery"
    )
    url = models.CharField(max_length=1000)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(next_attempt_at=None), name="delivery_delivered_is_done"
            )
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="delivery_due")
        ]

    def __str__(self) -> str:
        return f"{self.job_id} to {self.url}"
