"""Does a job fit into its budgets, and how much of it? Pure: no database, no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.budgets.periods import Span, leaves_at

Measure = Literal["microusd", "tokens"]
MEASURES: tuple[Measure, ...] = ("microusd", "tokens")


@dataclass(frozen=True, slots=True)
class Amounts:
    """Money in micro-dollars and tokens of all four kinds."""

    microusd: int
    tokens: int

    def of(self, measure: Measure) -> int:
        """One of the two."""
        return self.microusd if measure == "microusd" else self.tokens


NOTHING = Amounts(0, 0)


@dataclass(frozen=True, slots=True)
class Count:
    """One measure of a window. `limit` None: not limited."""

    limit: int | None
    spent: int
    reserved: int

    @property
    def remaining(self) -> int | None:
        """What is neither spent nor held, never below 0; None: not limited."""
        return None if self.limit is None else max(0, self.limit - self.spent - self.reserved)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget as it stands in its current window."""

    budget_id: int
    name: str
    scope: str
    """`project` or `key`."""
    span: str
    """`a day`, `30 days rolling`, `in total`."""
    microusd: Count
    tokens: Count
    starts_at: datetime
    resets_at: datetime | None
    """Calendar: the next window. Rolling: when some of it is free again, as far as known. None: not by itself."""

    def count(self, measure: Measure) -> Count:
        """The window by one measure."""
        return self.microusd if measure == "microusd" else self.tokens


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A budget into which a job does not fit."""

    state: BudgetState
    measure: Measure
    needed: int
    """The least that the job could do with, in the measure's unit."""

    @property
    def hopeless(self) -> bool:
        """Whether it would not even fit into an empty window."""
        limit = self.state.count(self.measure).limit
        return limit is not None and self.needed > limit


def fit(states: Sequence[BudgetState], *, wanted: Amounts, minimum: Amounts) -> Amounts | tuple[Shortfall, ...]:
    """As much of `wanted` as fits into every budget; all budgets in the way where that is less than `minimum`."""
    least = Amounts(min(wanted.microusd, minimum.microusd), min(wanted.tokens, minimum.tokens))
    short = tuple(
        Shortfall(state, measure, least.of(measure))
        for state in states
        for measure in MEASURES
        if (remaining := state.count(measure).remaining) is not None and remaining < least.of(measure)
    )
    if short:
        return short
    return Amounts(_least(wanted, states, "microusd"), _least(wanted, states, "tokens"))


def _least(wanted: Amounts, states: Sequence[BudgetState], measure: Measure) -> int:
    rooms = (state.count(measure).remaining for state in states)
    return min([wanted.of(measure), *(room for room in rooms if room is not None)])


def frees_at(span: Span, steps: Iterable[tuple[datetime, int]], missing: int) -> datetime | None:
    """When a rolling budget will have forgotten `missing` of its spend. `steps`: (start, spent), oldest first.

    None where even forgetting everything would not be enough: then only jobs that end make room.
    """
    for starts_at, spent in steps:
        missing -= spent
        if missing <= 0:
            return leaves_at(span, starts_at)
    return None


def crossed(thresholds: Iterable[int], *, before: int, after: int, limit: int | None) -> list[int]:
    """The per cents of `limit` that lie above `before` and at or below `after`, lowest first."""
    if not limit:
        return []
    return sorted(percent for percent in thresholds if before * 100 < percent * limit <= after * 100)
