"""What a project or one of its keys may spend."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.budgets.fitting import Rule, increased
from apps.budgets.periods import Cycle, period_name
from apps.keys import rotation
from apps.keys.destinations import https_only, validate_emails
from apps.keys.encryption import EncryptedTextField
from apps.keys.models import ApiKey, Project

MOST_MICROUSD = 10**15
"""A billion dollars. Keeps every sum far inside 64 bits."""
MOST_TOKENS = 10**15


class Period(models.TextChoices):
    """How long a budget lasts before it starts anew."""

    DAY = "day", "a day"
    WEEK = "week", "a week"
    MONTH = "month", "a month"
    TOTAL = "total", "in total"


def default_thresholds() -> list[int]:
    """Per cent of the limit at which somebody is told."""
    return [80, 95]


def validate_thresholds(value: object) -> None:
    """Accept up to five different whole numbers from 1 to 100. Raises ValidationError."""
    percents: list[object] = value if isinstance(value, list) else ["not a list"]
    whole = all(type(item) is int and 1 <= item <= 100 for item in percents)
    if not whole or len(percents) > 5 or len(set(map(str, percents))) != len(percents):
        raise ValidationError("Give up to five different whole per cents, such as [80, 95].", code="thresholds")


def validate_time_zone(value: str) -> None:
    """Accept the name of a zone of the IANA database. Raises ValidationError."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):  # what ZoneInfo raises for unknown names, paths and directories
        raise ValidationError(f"{value[:60]!r} is not a time zone such as Europe/Berlin.", code="time_zone") from None


class BudgetQuerySet(models.QuerySet["Budget"]):
    """Questions about budgets."""

    def active(self) -> "BudgetQuerySet":
        """Those that bind."""
        return self.filter(active=True)

    def binding(self, *, project_id: int, key_id: int | None) -> "BudgetQuerySet":
        """Those that a request of this key must fit into, in the order in which their windows are locked."""
        # Written so that each half has its own index: a project may have a budget for each of its ten thousand keys.
        reach = Q(project_id=project_id, api_key=None)
        if key_id is not None:
            reach |= Q(api_key_id__in=rotation.lineage(key_id))
        return self.active().filter(reach).order_by("pk")


class Budget(models.Model):
    """A limit for a project or for one of its keys. Scope and period never change: windows are counted by them."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="budgets", db_index=False)
    api_key = models.ForeignKey(
        ApiKey,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="budgets",
        db_index=False,
        verbose_name="API key",
        help_text="Empty: the budget is for all keys of the project together.",
    )
    name = models.CharField(max_length=100, blank=True, help_text="What refusals and alerts call it.")
    limit_microusd = models.PositiveBigIntegerField(
        "limit in micro-dollars", null=True, blank=True, validators=[MaxValueValidator(MOST_MICROUSD)]
    )
    limit_tokens = models.PositiveBigIntegerField(
        "limit in tokens",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_TOKENS)],
        help_text="Input, output, cache reads and cache writes together.",
    )
    period = models.CharField(max_length=8, choices=Period.choices)
    rolling = models.BooleanField(
        default=False, help_text="Look back over the last 24 hours, 7 or 30 days instead of starting anew at midnight."
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="Whose midnight it is."
    )
    anchor = models.PositiveSmallIntegerField(
        "first day",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Of a week, 1 Monday to 7 Sunday; of a month, 1 to 31 (its last day where it is shorter).",
    )
    thresholds = models.JSONField(
        default=default_thresholds,
        blank=True,
        validators=[validate_thresholds],
        help_text="Per cent of the limit at which somebody is told, once in each window.",
    )
    active = models.BooleanField(default=True)
    extra_microusd = models.PositiveBigIntegerField(default=0, validators=[MaxValueValidator(MOST_MICROUSD)])
    extra_tokens = models.PositiveBigIntegerField(default=0, validators=[MaxValueValidator(MOST_TOKENS)])
    extra_until = models.DateTimeField(null=True, blank=True, help_text="When the temporary increase ends.")
    webhook_url = models.CharField(
        "webhook URL",
        max_length=500,
        blank=True,
        validators=[https_only],
        help_text="Where alerts are posted, signed. Only https, only public addresses.",
    )
    webhook_secret = EncryptedTextField(purpose="budget.webhook_secret", max_length=100, blank=True)
    emails = models.CharField(
        "e-mail addresses",
        max_length=1000,
        blank=True,
        validators=[validate_emails],
        help_text="Who is told of alerts; commas between addresses.",
    )
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(limit_microusd__isnull=False) | Q(limit_tokens__isnull=False),
                name="budget_has_a_limit",
                violation_error_message="Give a limit in dollars, in tokens or both.",
            ),
            models.CheckConstraint(condition=Q(period__in=Period.values), name="budget_period_known"),
            models.CheckConstraint(
                condition=Q(rolling=False) | ~Q(period="total"),
                name="budget_total_does_not_roll",
                violation_error_message="A total budget has no end, so it cannot roll.",
            ),
            models.CheckConstraint(
                condition=Q(anchor=1)
                | Q(period="week", rolling=False, anchor__range=(1, 7))
                | Q(period="month", rolling=False, anchor__range=(1, 31)),
                name="budget_anchor_fits_period",
                violation_error_message="A first day is for calendar weeks (1 to 7) and months (1 to 31).",
            ),
            models.CheckConstraint(
                condition=Q(extra_until__isnull=False) | Q(extra_microusd=0, extra_tokens=0),
                name="budget_increase_ends",
                violation_error_message="An increase needs an end.",
            ),
            models.CheckConstraint(
                condition=Q(webhook_url="") | ~Q(webhook_secret=""), name="budget_webhook_is_signed"
            ),
        ]
        indexes = [
            models.Index(fields=["project"], condition=Q(active=True, api_key=None), name="budget_of_project"),
            models.Index(fields=["api_key"], condition=Q(active=True, api_key__isnull=False), name="budget_of_key"),
            models.Index(fields=["project", "id"], name="budget_list"),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.scope} budget {self.span}"

    @property
    def scope(self) -> str:
        """`key` or `project`."""
        return "project" if self.api_key_id is None else "key"

    @property
    def span(self) -> str:
        """`a day`, `30 days rolling`, `in total`."""
        return self.cycle.span

    @property
    def cycle(self) -> Cycle:
        """How its windows follow each other."""
        return Cycle(period_name(self.period), self.rolling, self.time_zone, self.anchor)

    def rule(self, now: datetime) -> Rule:
        """What it asks of a job at this moment."""
        return Rule(
            budget_id=self.pk,
            project_id=self.project_id,
            key_id=self.api_key_id,
            name=self.name,
            cycle=self.cycle,
            since=self.created_at,
            limit_microusd=increased(self.limit_microusd, self.extra_microusd, until=self.extra_until, now=now),
            limit_tokens=increased(self.limit_tokens, self.extra_tokens, until=self.extra_until, now=now),
            thresholds=tuple(self.thresholds),
        )
