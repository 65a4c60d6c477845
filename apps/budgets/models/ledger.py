"""The statement of account."""

from django.db import models
from django.db.models import F, Q

from apps.audit.appendonly import AppendOnlyQuerySet
from apps.budgets.models.windows import BudgetWindow


class LedgerEntryQuerySet(AppendOnlyQuerySet["LedgerEntry"]):
    """Questions about the ledger."""

    def bills(self) -> "LedgerEntryQuerySet":
        """What jobs cost: one entry for each job that spent anything, whatever budgets it had."""
        return self.filter(kind="settle", window=None)

    def bookings(self) -> "LedgerEntryQuerySet":
        """What changed the counters of windows."""
        return self.filter(window__isnull=False)


class LedgerEntry(models.Model):
    """One booking. Never changed, never deleted.

    With a window it is a change of that window's counters, whose sum they are. Without one it is a job's bill, so that
    a job under three budgets is on three windows' accounts and still billed once.
    """

    class Kind(models.TextChoices):
        """Why the counters changed. `adjust`: spend grew too old for a rolling window."""

        RESERVE = "reserve"
        SETTLE = "settle"
        RELEASE = "release"
        ADJUST = "adjust"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    project = models.ForeignKey("keys.Project", on_delete=models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(
        "keys.ApiKey", on_delete=models.PROTECT, related_name="+", null=True, db_index=False, verbose_name="API key"
    )
    window = models.ForeignKey(
        BudgetWindow,
        on_delete=models.PROTECT,
        related_name="entries",
        null=True,
        db_index=False,
        help_text="Empty: the job's bill.",
    )
    job_id = models.CharField(max_length=64, blank=True)
    reserved_microusd = models.BigIntegerField(default=0, help_text="Change of what is held.")
    spent_microusd = models.BigIntegerField(default=0, help_text="Change of what is spent.")
    reserved_tokens = models.BigIntegerField(default=0)
    spent_tokens = models.BigIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cache_read_input_tokens = models.PositiveBigIntegerField(default=0)
    cache_creation_input_tokens = models.PositiveBigIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        verbose_name = "ledger entry"
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(
                fields=["job_id"], condition=Q(kind="settle", window=None), name="ledger_bill_once"
            ),
            models.UniqueConstraint(
                fields=["job_id", "window"],
                condition=Q(kind="settle", window__isnull=False),
                name="ledger_settled_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["reserve", "settle", "release", "adjust"]), name="ledger_kind_known"
            ),
            models.CheckConstraint(
                condition=~Q(kind="settle")
                | Q(
                    spent_tokens=F("input_tokens")
                    + F("output_tokens")
                    + F("cache_read_input_tokens")
                    + F("cache_creation_input_tokens")
                ),
                name="ledger_tokens_add_up",
            ),
            models.CheckConstraint(
                condition=Q(window__isnull=False) | Q(kind="settle", reserved_microusd=0, reserved_tokens=0),
                name="ledger_bill_holds_nothing",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="ledger_of_project"),
            models.Index(fields=["api_key", "id"], name="ledger_of_key"),
            models.Index(fields=["window", "id"], name="ledger_of_window"),
            models.Index(fields=["job_id"], name="ledger_of_job"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.job_id}".strip()
