"""The record: what was done, by whom, to what; and what proves that nobody changed it afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.models import Q

from apps.audit.appendonly import AppendOnlyQuerySet


class AuditEventQuerySet(AppendOnlyQuerySet["AuditEvent"]):
    """Questions about the record."""

    def sealed(self) -> AuditEventQuerySet:
        """Rows that are links of the chain."""
        return self.filter(position__isnull=False)

    def unsealed(self) -> AuditEventQuerySet:
        """Committed rows that no sealer has linked yet."""
        return self.filter(position__isnull=True)

    def loose_distinct(self, field: str) -> Iterator[str]:
        """The different values of an indexed field, in order: one index probe each, however many rows there are."""
        value: str | None = self.order_by(field).values_list(field, flat=True).first()
        while value is not None:
            yield value
            after = self.filter(**{f"{field}__gt": value})
            value = after.order_by(field).values_list(field, flat=True).first()


class AuditEvent(models.Model):
    """One deed. Written in the deed's transaction with a digest of its own; linked into the chain a moment later."""

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField("time")
    actor = models.CharField(max_length=200, help_text="user:alice, key:4f2k…, command:audit_prune, system")
    action = models.CharField(max_length=64, help_text="noun.past_participle")
    target_type = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=200, blank=True)
    project_id = models.CharField("project", max_length=64, blank=True)
    outcome = models.CharField(max_length=32, help_text="ok, or a word for what happened instead")
    reason = models.CharField(max_length=500, blank=True)
    ip = models.CharField("IP address", max_length=45, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    data_text = models.TextField("data", blank=True, help_text="Canonical JSON, as it was digested.")
    key_id = models.CharField(max_length=8, help_text="Which of the install's keys made the digest and the seal.")
    digest = models.BinaryField(max_length=32, help_text="HMAC of everything above.")
    position = models.BigIntegerField(null=True, help_text="Its place in the chain, from 1. Empty: not sealed yet.")
    seal = models.BinaryField(max_length=32, null=True, help_text="HMAC of the previous seal, position and digest.")

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = "audit event"
        indexes = [
            # Each answers one question of the list, newest first. Every one of them costs every deed an insertion.
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["project_id", "at"], name="audit_by_project"),
            models.Index(fields=["actor", "at"], name="audit_by_actor"),
            models.Index(fields=["action", "at"], name="audit_by_action"),
            models.Index(fields=["target_id", "at"], name="audit_by_target"),
            models.Index(fields=["outcome", "at"], name="audit_by_outcome"),
            models.Index(fields=["request_id"], name="audit_by_request"),
            # Stays as small as what the sealer has still to do.
            models.Index(fields=["id"], condition=Q(position__isnull=True), name="audit_unsealed"),
        ]
        constraints = [
            # Also what makes two sealers at once harmless. Partial, so that it costs the deed nothing.
            models.UniqueConstraint(
                fields=["position"], condition=Q(position__isnull=False), name="audit_one_row_per_position"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action}"

    @property
    def data(self) -> dict[str, Any]:
        """What the deed was about, beyond the columns. Empty too where somebody made it unreadable."""
        try:
            data = json.loads(self.data_text) if self.data_text else {}
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


class AuditHead(models.Model):
    """How far the chain goes: one row, which only sealers change. Rows cut off its end are missed by it."""

    position = models.BigIntegerField()
    seal = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    key_id = models.CharField(max_length=8)
    mac = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = "chain head"


class AuditCheckpointQuerySet(AppendOnlyQuerySet["AuditCheckpoint"]):
    """Retention cuts are not taken back."""


class AuditCheckpoint(models.Model):
    """A retention cut: everything up to `position` was deleted on purpose, and the chain goes on from `seal`."""

    position = models.BigIntegerField(primary_key=True)
    seal = models.BinaryField(max_length=32)
    before = models.DateTimeField()
    at = models.DateTimeField()
    key_id = models.CharField(max_length=8)
    mac = models.BinaryField(max_length=32)

    objects = AuditCheckpointQuerySet.as_manager()

    class Meta:
        verbose_name = "retention cut"
