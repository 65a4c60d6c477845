"""Where a budget is heading. Pure: it goes on as it has gone so far in its window."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.budgets.fitting import MEASURES, BudgetState, Count, Measure

LEAST = timedelta(hours=6)
"""A younger window says nothing about its end."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One measure of a budget: how it stands and where it goes. Shares are per cents of the limit."""

    measure: Measure
    count: Count
    limit: int
    spent: float
    taken: float
    """Spent and held."""
    now: float | None
    """How much of the window is over; None where it has no end."""
    reaches_at: datetime | None
    """When the limit will be reached, if that is before the window ends."""
    ends_with: int | None
    """What will have been spent at the window's end."""
    thresholds: tuple[float, ...]

    @property
    def level(self) -> str:
        """`over`, `near` or nothing to say."""
        if self.taken >= 100:
            return "over"
        return "near" if self.spent >= min(self.thresholds, default=80.0) else ""

    @property
    def forecast(self) -> float | None:
        """Where the bar will end."""
        return None if self.ends_with is None else min(100.0, 100 * self.ends_with / self.limit)


def of(state: BudgetState, thresholds: tuple[int, ...], *, now: datetime, rolling: bool) -> list[Outlook]:
    """One outlook for each measure that the budget limits."""
    marks = tuple(float(each) for each in thresholds)
    return [
        _outlook(state, each, marks, now=now, rolling=rolling)
        for each in MEASURES
        if state.count(each).limit is not None
    ]


def _outlook(
    state: BudgetState, measure: Measure, thresholds: tuple[float, ...], *, now: datetime, rolling: bool
) -> Outlook:
    count = state.count(measure)
    limit = max(1, count.limit or 0)
    ends_at = None if rolling else state.resets_at
    reaches_at, ends_with = None, None
    elapsed = now - state.starts_at
    if not rolling and elapsed >= LEAST and count.spent:
        rate = count.spent / elapsed.total_seconds()
        left = limit - count.spent
        if left > 0 and left / rate < timedelta(days=3650).total_seconds():
            reaches_at = now + timedelta(seconds=left / rate)
        if ends_at is not None:
            ends_with = round(count.spent + rate * (ends_at - now).total_seconds())
            if reaches_at is not None and reaches_at >= ends_at:
                reaches_at = None
    over = (now - state.starts_at) / (ends_at - state.starts_at) * 100 if ends_at else None
    return Outlook(
        measure=measure,
        count=count,
        limit=limit,
        spent=min(100.0, 100 * count.spent / limit),
        taken=min(100.0, 100 * (count.spent + count.reserved) / limit),
        now=over,
        reaches_at=reaches_at,
        ends_with=ends_with,
        thresholds=thresholds,
    )
