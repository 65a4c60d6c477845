"""What the overview asks of the roll-ups: a fixed number of queries, whatever there is."""

from dataclasses import dataclass, replace
from datetime import datetime

from apps.dashboard.ranges import HOUR, Range
from apps.jobs import usage
from apps.jobs.usage import Dimension, Figures, Row, Scope, Series, StepName
from apps.jobs.usage.reading import TooMuch


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
    since, until = period.start, period.end
    steps = usage.series(scope, since=since, until=until, step=step)
    before = usage.series(scope, since=earlier.start, until=earlier.end, step=step, plain=True) if earlier else None
    return Usage(
        now=usage.together(row.figures for row in steps.rows) if steps.since == since else total(scope, period),
        before=total(scope, earlier) if earlier else None,
        grouped=_grouped(scope, since=since, until=until, step=step, by=by),
        steps=steps,
        steps_before=before,
    )


def _grouped(scope: Scope, *, since: datetime, until: datetime, step: StepName, by: Dimension) -> Series:
    """By what was asked for; ten thousand keys are no chart, then all of them are one bar."""
    try:
        return usage.series(scope, since=since, until=until, step=step, group_by=[by], plain=True)
    except TooMuch:
        found = usage.series(scope, since=since, until=until, step=step, group_by=["kind"], plain=True)
        return replace(found, rows=tuple(_relabelled(row, by) for row in found.rows))


def _relabelled(row: Row, by: Dimension) -> Row:
    return replace(row, group={by: ""}, labels={by: f"All {by}s"})


def total(scope: Scope, period: Range) -> Figures:
    """The sums of a stretch of time."""
    return usage.totals(scope, since=period.start, until=period.end)[0].figures


@dataclass(frozen=True, slots=True)
class Share:
    """What one key or model came to."""

    name: str
    label: str
    requests: int
    total_tokens: int
    cost_microusd: int


def top(scope: Scope, period: Range, by: Dimension, *, known: Series | None = None, most: int = 6) -> list[Share]:
    """What spent most; read off a series that is grouped by the same, where there is one."""
    try:
        rows = (
            known.rows
            if known
            else usage.totals(scope, since=period.start, until=period.end, group_by=[by], plain=True)
        )
    except TooMuch:
        return []
    sums: dict[str, list[int]] = {}
    labels: dict[str, str] = {}
    for row in rows:
        name, each = row.group[by], row.figures
        labels[name] = row.labels[by]
        sum_ = sums.setdefault(name, [0, 0, 0])
        for place, value in enumerate((each.requests, each.total_tokens, each.cost_microusd)):
            sum_[place] += value
    shares = [Share(name, labels[name], *sum_) for name, sum_ in sums.items()]
    return sorted(shares, key=lambda share: -share.cost_microusd)[:most]


def step_of(period: Range) -> StepName:
    """The step of its charts."""
    return "hour" if period.bucket == HOUR else "day"
