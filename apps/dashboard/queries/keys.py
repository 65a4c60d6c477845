"""What pages ask of keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.dashboard.ranges import Range
from apps.jobs import usage
from apps.jobs.usage import Figures, Scope
from apps.jobs.usage.reading import TooMuch
from apps.keys.models import ApiKey, Project

PAGE = 50
STATES = {"usable": "In use", "ended": "Revoked or expired", "all": "All"}


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of keys, newest first, and what the next older one begins below."""

    keys: Sequence[ApiKey]
    older: int | None


def listed(project: Project, *, state: str, before: str, now: datetime) -> Slice:
    """A page of the project's keys."""
    keys = ApiKey.objects.filter(project=project).select_related("profile").order_by("-pk")
    if state == "ended":
        keys = keys.filter(~Q(revoked_at=None) | Q(expires_at__lte=now))
    elif state != "all":
        keys = keys.usable(now=now)
    if before.isdigit():
        keys = keys.filter(pk__lt=int(before[:18]))
    found = list(keys[: PAGE + 1])
    return Slice(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def one(project: Project, public_id: str) -> ApiKey | None:
    """A key of the project."""
    keys = ApiKey.objects.filter(project=project, public_id=public_id)
    return keys.select_related("project", "profile", "rotated_from", "rotated_to").first()


def used(project: Project, period: Range) -> Mapping[str, Figures]:
    """What each key used, by its public id."""
    try:
        rows = usage.totals(Scope([project.pk]), since=period.start, until=period.end, group_by=["key"], plain=True)
    except TooMuch:  # ten thousand keys: each has a page of its own
        return {}
    return {row.group["key"]: row.figures for row in rows}
