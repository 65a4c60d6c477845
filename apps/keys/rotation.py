"""Keys that end: a successor in time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction

from apps.keys import issuing, records, services
from apps.keys.models import ApiKey
from apps.keys.terms import Terms

LONGEST_OVERLAP = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who rotates, from where and when, for the record."""

    actor: str
    ip: str | None
    now: datetime


_with_rotation: list[Callable[[ApiKey, ApiKey, Deed], object]] = []


class NotRotatable(Exception):
    """The key does not work any more, or has a successor already; the message says which and what to do."""


def with_rotation(act: Callable[[ApiKey, ApiKey, Deed], object]) -> None:
    """Have `act(old, new, deed)` called in every rotation's transaction: upper floors hand on what hangs on the key."""
    _with_rotation.append(act)


def rotate(*, key: ApiKey, overlap: timedelta, actor: str, now: datetime, ip: str | None = None) -> tuple[ApiKey, str]:
    """A successor on the same terms, and its secret. The old key works on for `overlap`, if it does not end before.

    Without any overlap the old key is revoked, and what runs on it ends. A successor lives as long as its predecessor
    was given. Raises NotRotatable, and ValueError for an overlap below zero or above LONGEST_OVERLAP.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError(f"an overlap is between 0 and {LONGEST_OVERLAP.days} days")
    with transaction.atomic():
        old = ApiKey.objects.select_for_update(of=("self",)).select_related("project", "profile").get(pk=key.pk)
        _require_rotatable(old, now)
        terms = Terms.of(old)
        lifetime = old.expires_at and old.expires_at - old.created_at
        successor = replace(terms, expires_at=now + lifetime if lifetime else None)
        new, secret = issuing.create(project=old.project, terms=successor, now=now, rotated_from=old)
        for act in _with_rotation:
            act(old, new, Deed(actor=actor, ip=ip, now=now))
        data = {"rotated_from": old.public_id, "after": successor.to_json()}
        records.of_key("key.issued", new, data, actor=actor, now=now, ip=ip)
        _retire(old, new, terms, min(filter(None, (old.expires_at, now + overlap))), actor=actor, now=now, ip=ip)
    services.forget(key)
    return new, secret


def lineage(key_id: int) -> list[int]:
    """The key and those that have taken its place, one after the other."""
    ids = [key_id]
    while successor := ApiKey.objects.filter(rotated_from=ids[-1]).values_list("pk", flat=True).first():
        ids.append(successor)
    return ids


def _require_rotatable(key: ApiKey, now: datetime) -> None:
    if not key.is_usable(now=now):
        raise NotRotatable(f"Key {key.public_id} does not work any more: issue a new one.")
    successor = ApiKey.objects.filter(rotated_from=key).first()
    if successor is not None:
        raise NotRotatable(f"Key {key.public_id} has a successor already, {successor.public_id}: rotate that one.")


def _retire(
    old: ApiKey, new: ApiKey, terms: Terms, end: datetime, *, actor: str, now: datetime, ip: str | None
) -> None:
    """Let the old key end at `end`; at once means that it is revoked."""
    if end > now:
        ApiKey.objects.filter(pk=old.pk).update(expires_at=end)
    changes = {
        "successor": new.public_id,
        "before": {"expires_at": terms.to_json()["expires_at"]},
        "after": {"expires_at": end.isoformat()},
    }
    records.of_key("key.rotated", old, changes, actor=actor, now=now, ip=ip)
    if end <= now:
        services.revoke(key=old, actor=actor, ip=ip, now=now)
