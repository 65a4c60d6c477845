"""Rows on their way to somebody outside: how far each has come. `sending` sends them."""

from datetime import datetime
from typing import Self, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class OutgoingQuerySet(models.QuerySet[Row]):
    """Questions about what is to be sent."""

    def due(self, now: datetime) -> Self:
        """What should be tried now, the longest waiting first."""
        return self.filter(next_attempt_at__lte=now).order_by("next_attempt_at")


class Outgoing(models.Model):
    """Something that is tried until it is taken, or given up."""

    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: delivered, or given up.")
    delivered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="Why the last attempt failed.")

    class Meta:
        abstract = True


class Notice(Outgoing):
    """News on its way to one destination."""

    class Channel(models.TextChoices):
        """How it travels."""

        WEBHOOK = "webhook"
        EMAIL = "email", "e-mail"

    channel = models.CharField(max_length=8, choices=Channel.choices)
    destination = models.CharField(max_length=500)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.channel} to {self.destination}"
