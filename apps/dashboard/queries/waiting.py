"""Tool calls that wait for somebody's word, in one project or in several."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from apps.dashboard.timeline import summary
from apps.jobs.events import dumps
from apps.jobs.taskmodels import Approval
from apps.keys.models import Membership, Role

MOST = 6


@dataclass(frozen=True, slots=True)
class Waiting:
    """One of them, with what would run in one line."""

    approval: Approval
    gist: str
    mine: bool
    """Whether the reader may decide."""


def waiting(
    ids: Sequence[int] | None, *, works_in: Container[int] | None, now: datetime, most: int = MOST
) -> list[Waiting]:
    """Those of these projects (None: of all), the first to run out first. One query on a small index.

    `works_in`: the projects in which the reader may decide; None: in all.
    """
    found = Approval.objects.waiting(now).select_related("job__api_key", "job__project").order_by("expires_at", "pk")
    if ids is not None:
        found = found.filter(job__project_id__in=ids)
    light = found.defer("job__request", "job__result", "job__details", "job__route", "job__grant")
    return [
        Waiting(each, summary(dumps(each.input)), works_in is None or each.job.project_id in works_in)
        for each in light[:most]
    ]


def works_in(user: User) -> set[int] | None:
    """The projects in which a person may decide; None: in all, as a superuser."""
    if user.is_superuser:
        return None
    return set(Membership.objects.filter(user=user).exclude(role=Role.VIEWER).values_list("project_id", flat=True))
