"""What the overview asks of the roll-ups: a fixed number of queries, whatever there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.dashboard.ranges import HOUR, Range
from apps.jobs import usage
from apps.jobs.usage import Dimension, Figures, Row, Scope, Series, StepName


@dataclass(frozen=True, slots=True)
class Usage:
    """A stretch of time, the one before it, and how the first went step by step."""

    now: Figures
    before: Figures | None
    grouped: Series
    steps: Series
    steps_before: Series | None


def of(scope: Scope, period: Range, *, by: Dimension) -> Usage:
    """Everything the charts show."""
    step = step_of(period)
    earlier = period.before if period.compare else None
    return Usage(
        now=total(scope, period),
        before=total(scope, earlier) if earlier else None,
        grouped=usage.series(scope, since=period.start, until=period.end, step=step, group_by=[by]),
        steps=usage.series(scope, since=period.start, until=period.end, step=step),
        steps_before=usage.series(scope, since=earlier.start, until=earlier.end, step=step) if earlier else None,
    )


def total(scope: Scope, period: Range) -> Figures:
    """The sums of a stretch of time."""
    return usage.totals(scope, since=period.start, until=period.end)[0].figures


def top(scope: Scope, period: Range, by: Dimension, *, most: int = 6) -> Sequence[Row]:
    """What spent most."""
    return usage.top(scope, since=period.start, until=period.end, by=by, limit=most)


def step_of(period: Range) -> StepName:
    """The step of its charts."""
    return "hour" if period.bucket == HOUR else "day"
