"""Profiles: what the keys of a tier may use and spend, as rows that an operator can copy and edit."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from apps.permissions.policy import Limits, Policy
from apps.permissions.refs import BadPattern, parse, parse_all

DEFAULT_SLUG = "pro"
"""The tier of a key that is issued without naming one."""


def validate_patterns(value: object) -> None:
    """Accept a list of readable patterns. Raises ValidationError with one message for every line that is not."""
    if not isinstance(value, list):
        raise ValidationError("Patterns are a list, such as ['tool:Read'].", code="invalid")
    faults = [fault for item in value if (fault := _fault(item))]
    if len(value) > 500:
        faults.append("At most 500 patterns fit in one list.")
    if faults:
        raise ValidationError(faults, code="invalid")


def validate_tool_patterns(value: object) -> None:
    """Like `validate_patterns`, for the list that can only hold tools: nothing else can wait for an approval."""
    validate_patterns(value)
    assert isinstance(value, list)  # validate_patterns has seen to it
    if strangers := [item for item in value if parse(item).kind != "tool"]:
        raise ValidationError(f"Only tools can wait for an approval, not {', '.join(strangers)}.", code="invalid")


def _fault(item: object) -> str | None:
    if not isinstance(item, str):
        return f"{item!r} is not a pattern."
    try:
        parse(item)
    except BadPattern as fault:
        return str(fault)
    return None


class ProfileQuerySet(models.QuerySet["Profile"]):
    """Questions about profiles."""

    def built_in(self) -> "ProfileQuerySet":
        """The shipped tiers, replaced by upgrades."""
        return self.filter(built_in=True)

    def editable(self) -> "ProfileQuerySet":
        """The operator's own, which no upgrade touches."""
        return self.filter(built_in=False)

    def default(self) -> "Profile":
        """The profile of a key that is issued without naming one."""
        return self.get(slug=DEFAULT_SLUG)


class Profile(models.Model):
    """Rules and limits for the keys that carry it. Written by `services` and by migrations only."""

    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True, max_length=500)
    allow = models.JSONField(default=list, blank=True, validators=[validate_patterns])
    deny = models.JSONField(default=list, blank=True, validators=[validate_patterns])
    ask = models.JSONField(default=list, blank=True, validators=[validate_tool_patterns])
    max_cost_microusd = models.PositiveBigIntegerField()
    max_seconds = models.PositiveIntegerField()
    max_turns = models.PositiveIntegerField()
    max_concurrency = models.PositiveIntegerField()
    built_in = models.BooleanField(default=False, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(slug=""), name="profile_has_slug"),
            models.CheckConstraint(condition=~Q(name=""), name="profile_has_name"),
            models.CheckConstraint(condition=Q(max_cost_microusd__gte=1), name="profile_cost_positive"),
            models.CheckConstraint(condition=Q(max_seconds__gte=1), name="profile_seconds_positive"),
            models.CheckConstraint(condition=Q(max_turns__gte=1), name="profile_turns_positive"),
            models.CheckConstraint(condition=Q(max_concurrency__gte=1), name="profile_concurrency_positive"),
            models.CheckConstraint(condition=Q(version__gte=1), name="profile_version_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    def policy(self) -> Policy:
        """The rules as one frozen value. Raises BadPattern if the row was damaged: then nothing is allowed."""
        return Policy(
            profile=self.slug,
            version=self.version,
            allow=parse_all(self.allow),
            deny=parse_all(self.deny),
            ask=parse_all(self.ask),
            limits=Limits(
                max_cost_microusd=self.max_cost_microusd,
                max_seconds=self.max_seconds,
                max_turns=self.max_turns,
                max_concurrency=self.max_concurrency,
            ),
        )
