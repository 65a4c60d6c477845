"""What a window of a budget has spent, and what it holds for jobs that have not ended."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from apps.budgets.models.budgets import Budget


class BudgetWindow(models.Model):
    """The counters of one budget over one of its windows. Admission changes them and looks at nothing else.

    They are sums over the ledger, which `ledger_verify` proves. A rolling or total budget has one window for ever; a
    rolling one forgets spend step by step, up to `horizon_at`.
    """

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="windows", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    horizon_at = models.DateTimeField(null=True, blank=True, help_text="Rolling: earlier steps are not counted.")
    spent_microusd = models.PositiveBigIntegerField(default=0)
    reserved_microusd = models.PositiveBigIntegerField(default=0)
    spent_tokens = models.PositiveBigIntegerField(default=0)
    reserved_tokens = models.PositiveBigIntegerField(default=0)

    objects = models.Manager["BudgetWindow"]()

    class Meta:
        verbose_name = "window"
        constraints = [
            models.UniqueConstraint(fields=["budget", "starts_at"], name="window_once"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="window_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(
                    spent_microusd__gte=0, reserved_microusd__gte=0, spent_tokens__gte=0, reserved_tokens__gte=0
                ),
                name="window_counters_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at:%Y-%m-%d %H:%M} UTC"


class RollingStep(models.Model):
    """What a rolling window spent in one step of time, so that it can be forgotten when the step is old enough."""

    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="steps", db_index=False)
    starts_at = models.DateTimeField()
    spent_microusd = models.PositiveBigIntegerField(default=0)
    spent_tokens = models.PositiveBigIntegerField(default=0)

    objects = models.Manager["RollingStep"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["window", "starts_at"], name="step_once")]


class HoldQuerySet(models.QuerySet["Hold"]):
    """Questions about holds."""

    def held(self) -> "HoldQuerySet":
        """Those that still take room in their window."""
        return self.filter(state=Hold.State.HELD)

    def of_job(self, job_id: str) -> "HoldQuerySet":
        """A job's, in the order in which windows are locked."""
        return self.filter(job_id=job_id).order_by("window__budget_id")

    def over(self, now: datetime) -> "HoldQuerySet":
        """Held ones whose time has run out."""
        return self.held().filter(expires_at__lte=now)


class Hold(models.Model):
    """What one window keeps for one job: at most this can still be spent on it."""

    class State(models.TextChoices):
        """A settled hold stays so. A released one is settled all the same if its job turns out to have spent."""

        HELD = "held"
        SETTLED = "settled"
        RELEASED = "released"

    job_id = models.CharField(max_length=64)
    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="holds", db_index=False)
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey("keys.ApiKey", on_delete=models.PROTECT, related_name="+", null=True, db_index=False)
    amount_microusd = models.PositiveBigIntegerField()
    amount_tokens = models.PositiveBigIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.HELD)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="The hold of a job that is not heard of until then is released.")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job_id", "window"], name="hold_once"),
            models.CheckConstraint(condition=Q(state__in=["held", "settled", "released"]), name="hold_state_known"),
            models.CheckConstraint(
                condition=Q(state="held", ended_at=None) | (~Q(state="held") & Q(ended_at__isnull=False)),
                name="hold_ended_when_not_held",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="held"), name="hold_expiry"),
            models.Index(fields=["window"], condition=Q(state="held"), name="hold_of_window"),
        ]

    def __str__(self) -> str:
        return f"hold of {self.job_id}"
