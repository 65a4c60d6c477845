"""Admission: a job holds the most that it can cost in every budget above it, or it does not start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import F

from apps.budgets import windows
from apps.budgets.fitting import Amounts, Count, Measure, Shortfall, fit, frees_at
from apps.budgets.models import Budget, BudgetWindow, Hold, LedgerEntry, RollingStep
from apps.budgets.periods import ROLLING
from apps.permissions.words import dollars

MINIMUM_MICROUSD = 10_000
"""What a job that may shrink still needs: a cent."""
MINIMUM_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a job holds: its cap. Without any budget it is what was asked for."""

    job_id: str
    amount_microusd: int
    tokens: int
    budget_ids: tuple[int, ...]


class BudgetExceeded(Exception):
    """The job does not fit. `shortfalls` are all the budgets in its way, in the order of their ids."""

    def __init__(self, shortfalls: Sequence[Shortfall]) -> None:
        self.shortfalls = tuple(shortfalls)
        super().__init__(" ".join(map(_sentence, self.shortfalls)))

    @property
    def resets_at(self) -> datetime | None:
        """When all of them are free again by themselves; None: that is not known, or never."""
        moments = [None if each.hopeless else each.state.resets_at for each in self.shortfalls]
        known = [moment for moment in moments if moment is not None]
        return max(known) if len(known) == len(moments) else None


def reserve(
    *,
    project_id: int,
    key_id: int | None,
    job_id: str,
    amount_microusd: int,
    tokens: int,
    expires_at: datetime,
    now: datetime,
    shrink: bool = False,
    minimum_microusd: int = MINIMUM_MICROUSD,
    minimum_tokens: int = MINIMUM_TOKENS,
) -> Reservation:
    """Hold money and tokens for a job in every active budget of the project and the key: in all of them, or in none.

    With `shrink` it holds what still fits, down to the minimum. Call it once for a job, inside the transaction that
    makes the job. Raises BudgetExceeded, having written nothing but new windows; the transaction stays usable.
    """
    if amount_microusd < 0 or tokens < 0:
        raise ValueError("a job cannot hold less than nothing")
    budgets = list(Budget.objects.binding(project_id=project_id, key_id=key_id))
    wanted = Amounts(amount_microusd, tokens)
    if not budgets:
        return Reservation(job_id, wanted.microusd, wanted.tokens, ())
    minimum = Amounts(minimum_microusd, minimum_tokens) if shrink else wanted
    with transaction.atomic(savepoint=False):
        locked = [(budget, windows.lock(budget, now=now)) for budget in budgets]
        states = [windows.describe(budget, window, now=now) for budget, window in locked]
        fitted = fit(states, wanted=wanted, minimum=minimum)
        if isinstance(fitted, Amounts):
            for budget, window in locked:
                _take(window, fitted, limits=(budget.limit_microusd_at(now), budget.limit_tokens_at(now)))
            _write(locked, fitted, key_id=key_id, job_id=job_id, expires_at=expires_at, now=now)
            return Reservation(job_id, fitted.microusd, fitted.tokens, tuple(budget.pk for budget in budgets))
        short = [_with_reset(each, budgets, now=now) for each in fitted]
    raise BudgetExceeded(short)  # out here, where it does not spoil the caller's transaction


def _take(window: BudgetWindow, amounts: Amounts, *, limits: tuple[int | None, int | None]) -> None:
    """The UPDATE that no race gets past. The window is locked and was measured: it can only fail where locks do."""
    limit_microusd, limit_tokens = limits
    room = BudgetWindow.objects.filter(pk=window.pk)
    if limit_microusd is not None:
        room = room.filter(spent_microusd__lte=limit_microusd - amounts.microusd - F("reserved_microusd"))
    if limit_tokens is not None:
        room = room.filter(spent_tokens__lte=limit_tokens - amounts.tokens - F("reserved_tokens"))
    taken = room.update(
        reserved_microusd=F("reserved_microusd") + amounts.microusd,
        reserved_tokens=F("reserved_tokens") + amounts.tokens,
    )
    if not taken:
        raise RuntimeError(f"window {window.pk} changed under its lock")


def _write(
    locked: Sequence[tuple[Budget, BudgetWindow]],
    amounts: Amounts,
    *,
    key_id: int | None,
    job_id: str,
    expires_at: datetime,
    now: datetime,
) -> None:
    Hold.objects.bulk_create(
        Hold(
            job_id=job_id,
            window=window,
            project_id=budget.project_id,
            api_key_id=key_id,
            amount_microusd=amounts.microusd,
            amount_tokens=amounts.tokens,
            created_at=now,
            expires_at=expires_at,
        )
        for budget, window in locked
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            kind=LedgerEntry.Kind.RESERVE,
            project_id=budget.project_id,
            api_key_id=key_id,
            window=window,
            job_id=job_id,
            reserved_microusd=amounts.microusd,
            reserved_tokens=amounts.tokens,
            created_at=now,
        )
        for budget, window in locked
    )


def _with_reset(short: Shortfall, budgets: Sequence[Budget], *, now: datetime) -> Shortfall:
    """A rolling budget's shortfall with the moment at which enough of it is free. The rest know theirs."""
    budget = next(budget for budget in budgets if budget.pk == short.state.budget_id)
    if not budget.rolling:
        return short
    field = "spent_microusd" if short.measure == "microusd" else "spent_tokens"
    steps = RollingStep.objects.filter(window__budget=budget).order_by("starts_at").values_list("starts_at", field)
    count = short.state.count(short.measure)
    missing = short.needed + count.spent + count.reserved - _limit(count)
    return replace(short, state=replace(short.state, resets_at=frees_at(ROLLING[budget.period], steps, missing)))


def _sentence(short: Shortfall) -> str:
    state, count = short.state, short.state.count(short.measure)
    figures = (
        f"{_figure(count.spent, short.measure)} spent and {_figure(count.reserved, short.measure)} held of "
        f"{_figure(_limit(count), short.measure)} {state.span}"
    )
    needs = f"this request needs {_figure(short.needed, short.measure)}"
    name = f" “{state.name}”" if state.name else ""
    return f"Over the {state.scope}'s budget{name}: {figures}; {needs}. {_outlook(short)}"


def _outlook(short: Shortfall) -> str:
    if short.hopeless:
        return "Not even an empty budget would be enough."
    if short.state.resets_at is None:
        return "It does not reset by itself."
    return f"It resets at {short.state.resets_at:%Y-%m-%d %H:%M} UTC."


def _limit(count: Count) -> int:
    return count.limit or 0


def _figure(amount: int, measure: Measure) -> str:
    return dollars(amount) if measure == "microusd" else f"{amount:,} tokens"
