"""Requests that must not be done twice: an `Idempotency-Key`, what was asked under it, and what came of it.

A row is written in the transaction of the deed that it stands for. So there is no state in between to wait for: of two
requests at once the second one's transaction fails, and it finds what the first one has made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction

from apps.jobs.jsontext import JsonTextField
from apps.keys.models import ApiKey

KEEP = timedelta(hours=24)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Once:
    """What a client said: its idempotency key, and a digest of the request itself."""

    idempotency_key: str
    fingerprint: str


class IdempotencyKeyReused(Exception):
    """The idempotency key stands for another request already."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was sent with another request in the last 24 hours. Use a new one for each request."
        )


class Raced(Exception):
    """Somebody else did it in this moment: `find` tells what."""


class IdempotentRequestQuerySet(models.QuerySet["IdempotentRequest"]):
    """Questions about them."""

    def of(self, key: ApiKey, once: Once) -> "IdempotentRequestQuerySet":
        """What a key has asked under an idempotency key: one request at most."""
        return self.filter(api_key=key, idempotency_key=once.idempotency_key)

    def forgotten(self, now: datetime) -> "IdempotentRequestQuerySet":
        """Those that are older than they are kept."""
        return self.filter(created_at__lte=now - KEEP)


class IdempotentRequest(models.Model):
    """One request that was done once."""

    api_key = models.ForeignKey("keys.ApiKey", on_delete=models.CASCADE, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    target = models.CharField(max_length=64, blank=True, help_text="The job or batch that it made.")
    answer: "JsonTextField[object, dict[str, Any] | None]" = JsonTextField(null=True)
    """What was answered, where nothing was made that could be asked for it."""
    created_at = models.DateTimeField(db_index=True)

    objects = IdempotentRequestQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="idempotent_once")]


def find(*, key: ApiKey, once: Once, now: datetime) -> IdempotentRequest | None:
    """What the API key asked under this one in 24 hours. Raises IdempotencyKeyReused if that was something else."""
    row = IdempotentRequest.objects.of(key, once).first()
    if row is None or row.created_at <= now - KEEP:
        return None
    if row.fingerprint != once.fingerprint:
        raise IdempotencyKeyReused
    return row


def remember(
    *,
    key: ApiKey,
    once: Once,
    target: str = "",
    answer: Mapping[str, Any] | None = None,
    instead_of: IdempotentRequest | None = None,
    now: datetime,
) -> None:
    """Note what was made or answered; call it in the transaction of the deed, which must not survive if this raises.

    `instead_of` is what has come to nothing and may be done again. Raises Raced if somebody else was first.
    """
    gone = IdempotentRequest.objects.of(key, once)
    if instead_of is not None:
        gone.filter(pk=instead_of.pk).delete()
    gone.forgotten(now).delete()
    row = IdempotentRequest(
        api_key=key,
        idempotency_key=once.idempotency_key,
        fingerprint=once.fingerprint,
        target=target,
        answer=answer,
        created_at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Raced from None


def prune(*, now: datetime) -> int:
    """Forget some of those that are too old. How many."""
    old = list(IdempotentRequest.objects.forgotten(now).values_list("pk", flat=True)[:_AT_ONCE])
    return IdempotentRequest.objects.filter(pk__in=old).delete()[0] if old else 0
