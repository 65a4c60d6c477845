"""`set_budget`: one wish, whatever budgets there are already."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.budgets import managing
from apps.budgets.managing import Terms
from apps.budgets.models import Budget
from apps.budgets.periods import Cycle
from apps.keys.models import ApiKey, Project

Deed = Literal["created", "changed", "unchanged", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted; None leaves what is there. Of `cycle` only period and rolling are meant."""

    limit_microusd: int | None
    limit_tokens: int | None
    cycle: Cycle
    time_zone: str | None = None
    anchor: int | None = None


def set_budget(
    *, project: Project, api_key: ApiKey | None, wish: Wish, actor: str, now: datetime
) -> tuple[Budget, Deed]:
    """Make the budget, or change the one of that period. Raises ValidationError, also where several could be meant.

    Another time zone or first day replaces it: windows that are cut differently count from nothing.
    """
    cycle = wish.cycle
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two at once would make two budgets
        there = list(
            Budget.objects.active()
            .filter(project=project, api_key=api_key, period=cycle.period, rolling=cycle.rolling)
            .select_related("project", "api_key")
            .order_by("pk")
        )
        if len(there) > 1:
            names = ", ".join(str(budget.pk) for budget in there)
            raise ValidationError(f"Several budgets have this period (ids {names}): change them in the admin.")
        if not there:
            return _new(project, api_key, wish, Terms(), actor=actor, now=now), "created"
        old = there[0]
        if _cut(wish, old.cycle) == old.cycle:
            changed = managing.edit(budget=old, terms=_limited(Terms.of(old), wish), actor=actor, now=now)
            return old, "changed" if changed else "unchanged"
        managing.deactivate(budget=old, actor=actor, reason="replaced", now=now)
        return _new(project, api_key, wish, Terms.of(old), actor=actor, now=now, like=old.cycle), "replaced"


def _new(
    project: Project,
    api_key: ApiKey | None,
    wish: Wish,
    terms: Terms,
    *,
    actor: str,
    now: datetime,
    like: Cycle | None = None,
) -> Budget:
    cycle = _cut(wish, like or wish.cycle)
    return managing.create(
        project=project, api_key=api_key, cycle=cycle, terms=_limited(terms, wish), actor=actor, now=now
    )


def _cut(wish: Wish, like: Cycle) -> Cycle:
    """The cycle wanted, which takes from `like` what the wish leaves open."""
    return replace(
        wish.cycle,
        time_zone=like.time_zone if wish.time_zone is None else wish.time_zone,
        anchor=like.anchor if wish.anchor is None else wish.anchor,
    )


def _limited(terms: Terms, wish: Wish) -> Terms:
    return replace(
        terms,
        limit_microusd=terms.limit_microusd if wish.limit_microusd is None else wish.limit_microusd,
        limit_tokens=terms.limit_tokens if wish.limit_tokens is None else wish.limit_tokens,
    )
