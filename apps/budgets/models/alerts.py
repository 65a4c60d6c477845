"""Who is told when a budget runs low, and whether that worked."""

from django.db import models
from django.db.models import Q

from apps.budgets.models.windows import BudgetWindow
from apps.keys.outgoing import Notice, OutgoingQuerySet


class Alert(models.Model):
    """A budget crossed one of its thresholds: once in each window, for a rolling budget once in each period."""

    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="alerts", db_index=False)
    threshold = models.PositiveSmallIntegerField(help_text="Per cent of the limit.")
    period_starts_at = models.DateTimeField()
    measure = models.CharField(max_length=8, choices=[("microusd", "dollars"), ("tokens", "tokens")])
    spent = models.PositiveBigIntegerField(help_text="In micro-dollars or tokens.")
    limit = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()

    objects = models.Manager["Alert"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "threshold", "period_starts_at"], name="alert_once"),
            models.CheckConstraint(condition=Q(threshold__range=(1, 100)), name="alert_threshold_is_percent"),
        ]

    def __str__(self) -> str:
        return f"{self.threshold} % of {self.window}"


class NotificationQuerySet(OutgoingQuerySet["Notification"]):
    """Questions about what is to be sent."""


class Notification(Notice):
    """An alert on its way to one destination."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notifications")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(next_attempt_at=None), name="notification_delivered_is_done"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="notification_due"
            )
        ]
