"""Versions of the router's weights. Without one in force the shipped weights decide."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from apps.routing.scoring import BadWeights, Weights


def validate_weights(value: object) -> None:
    """Accept what the scorer can use. Raises ValidationError."""
    try:
        Weights.from_json(value if isinstance(value, dict) else {})
    except BadWeights as bad:
        raise ValidationError(str(bad), code="invalid") from None


class RoutingVersionQuerySet(models.QuerySet["RoutingVersion"]):
    """Questions about versions."""

    def in_force(self) -> "RoutingVersionQuerySet":
        """The one that decides, if any does."""
        return self.filter(active=True)


class RoutingVersion(models.Model):
    """Weights as somebody once put them in force. Never changed: an edit is a new version."""

    number = models.PositiveIntegerField(unique=True, editable=False)
    weights = models.JSONField(validators=[validate_weights])
    note = models.CharField(max_length=200, blank=True, help_text="Why this version.")
    active = models.BooleanField(default=False, editable=False)
    author = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(editable=False)

    objects = RoutingVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["active"], condition=Q(active=True), name="routing_one_in_force"),
            models.CheckConstraint(condition=Q(number__gte=1), name="routing_number_positive"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
