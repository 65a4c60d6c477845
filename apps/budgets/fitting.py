"""Does a job fit into its budgets, and how much of it? Pure: no database, no clock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.budgets.periods import Bounds, Cycle, Span, leaves_at

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

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.microusd + other.microusd, self.tokens + other.tokens)

    def __neg__(self) -> "Amounts":
        return Amounts(-self.microusd, -self.tokens)


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
class Rule:
    """What a budget asks of a job at one moment. Limits include a temporary increase; None: not limited."""

    budget_id: int
    project_id: int
    key_id: int | None
    """None: it is for the whole project."""
    name: str
    cycle: Cycle
    since: datetime
    limit_microusd: int | None
    limit_tokens: int | None
    thresholds: tuple[int, ...]

    def limit(self, measure: Measure) -> int | None:
        """The limit of one measure."""
        return self.limit_microusd if measure == "microusd" else self.limit_tokens


def increased(limit: int | None, extra: int, *, until: datetime | None, now: datetime) -> int | None:
    """A limit with its temporary increase, which no longer counts at `until`."""
    return limit + extra if limit is not None and until is not None and now < until else limit


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

    @classmethod
    def of(cls, rule: Rule, where: Bounds, *, spent: Amounts, reserved: Amounts) -> "BudgetState":
        """The state of that window. A rolling budget's `resets_at` is left open: it takes a look at the steps."""
        return cls(
            budget_id=rule.budget_id,
            name=rule.name,
            scope="project" if rule.key_id is None else "key",
            span=rule.cycle.span,
            microusd=Count(rule.limit_microusd, spent.microusd, reserved.microusd),
            tokens=Count(rule.limit_tokens, spent.tokens, reserved.tokens),
            starts_at=where.starts_at,
            resets_at=where.ends_at,
        )


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


def modest(fitted: Amounts, states: Sequence[BudgetState], *, share: Amounts) -> Amounts:
    """Of what fits, the share that was set aside for the job, and beyond it at most an eighth of the free dollars.

    Tokens are reckoned, not a cap: they stay.
    """
    rooms = (state.microusd.remaining for state in states)
    free = [max(0, room - share.microusd) // 8 for room in rooms if room is not None]
    return Amounts(min([fitted.microusd, *(max(share.microusd, each) for each in free)]), fitted.tokens)


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
