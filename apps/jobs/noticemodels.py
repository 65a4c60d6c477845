"""Word of a cost that drifted, on its way to those who operate the service."""

from datetime import datetime

from django.db import models
from django.db.models import Q

from apps.jobs.rollups import Drift


class DriftNoticeQuerySet(models.QuerySet["DriftNotice"]):
    """Questions about what is to be sent."""

    def due(self, now: datetime) -> "DriftNoticeQuerySet":
        """What should be tried now, the longest waiting first."""
        return self.filter(next_attempt_at__lte=now).order_by("next_attempt_at")


class DriftNotice(models.Model):
    """A drift on its way to one destination."""

    class Channel(models.TextChoices):
        """How it travels."""

        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"

    drift: "models.ForeignKey[Drift, Drift]" = models.ForeignKey(
        Drift, on_delete=models.CASCADE, related_name="notices"
    )
    channel = models.CharField(max_length=8, choices=Channel.choices)
    destination = models.CharField(max_length=500)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: delivered, or given up.")
    delivered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="Why the last attempt failed.")

    objects = DriftNoticeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(next_attempt_at=None), name="drift_notice_delivered_is_done"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="drift_notice_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.destination}"
