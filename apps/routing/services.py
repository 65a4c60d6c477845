"""What can be done with the router's weights: read those in force, put others in force. On record, and at once."""

import logging
from datetime import datetime

from django.db import transaction

from apps.audit import services as audit
from apps.routing.models import RoutingVersion
from apps.routing.scoring import BadWeights, Weights, shipped

logger = logging.getLogger(__name__)


def in_force() -> Weights:
    """The weights that decide now: those of the version in force, or the shipped ones. One small query."""
    row = RoutingVersion.objects.in_force().values_list("number", "weights").first()
    if row is None:
        return shipped()
    try:
        return Weights.from_json(row[1], version=row[0])
    except BadWeights as bad:  # by hand in the database
        logger.error("version %s of the routing weights cannot be used, the shipped ones decide: %s", row[0], bad)
        return shipped()


def create(*, weights: Weights, note: str, actor: str, ip: str | None = None, now: datetime) -> RoutingVersion:
    """A new version, in force at once."""
    with transaction.atomic():
        last = RoutingVersion.objects.select_for_update().order_by("-number").first()
        RoutingVersion.objects.in_force().update(active=False)
        version = RoutingVersion.objects.create(
            number=(last.number if last else 0) + 1,
            weights=weights.to_json(),
            note=note[:200],
            active=True,
            author=actor[:150],
            created_at=now,
        )
        _record("routing.changed", version.number, {"note": note[:200]}, actor=actor, ip=ip, now=now)
    return version


def put_in_force(*, version: RoutingVersion, actor: str, ip: str | None = None, now: datetime) -> bool:
    """Let an earlier version decide again. False if it does already."""
    with transaction.atomic():
        if RoutingVersion.objects.in_force().filter(pk=version.pk).exists():
            return False
        RoutingVersion.objects.in_force().update(active=False)
        RoutingVersion.objects.filter(pk=version.pk).update(active=True)
        _record("routing.restored", version.number, {}, actor=actor, ip=ip, now=now)
    version.active = True
    return True


def use_shipped(*, actor: str, ip: str | None = None, now: datetime) -> bool:
    """Let the shipped weights decide, also those of later releases. False if they do already."""
    with transaction.atomic():
        if not RoutingVersion.objects.in_force().update(active=False):
            return False
        _record("routing.restored", 0, {}, actor=actor, ip=ip, now=now)
    return True


def _record(action: str, number: int, data: dict[str, str], *, actor: str, ip: str | None, now: datetime) -> None:
    name = f"version {number}" if number else "shipped"
    audit.record(
        actor=actor, action=action, target_type="routing", target_id=name, outcome="ok", ip=ip, data=data, now=now
    )
