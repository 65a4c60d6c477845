"""Word of a cost that drifted, on its way to those who operate the service."""

from django.db import models
from django.db.models import Q

from apps.jobs.rollups import Drift
from apps.keys.outgoing import Notice, OutgoingQuerySet


class DriftNoticeQuerySet(OutgoingQuerySet["DriftNotice"]):
    """Questions about what is to be sent."""


class DriftNotice(Notice):
    """A drift on its way to one destination."""

    drift: "models.ForeignKey[Drift, Drift]" = models.ForeignKey(
        Drift, on_delete=models.CASCADE, related_name="notices"
    )

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
