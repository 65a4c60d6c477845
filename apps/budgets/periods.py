"""When the windows of a budget begin and end. Pure: no database, no clock.

A calendar day, week or month begins at the local midnight of its first day. Where daylight saving skips that midnight
it begins at the first moment after it; where midnight comes twice it begins at the first. A month with an anchor later
than its last day begins on its last day. Neighbouring windows touch: no moment is in two windows or in none.

A rolling budget counts in steps (buckets): what was spent in a step leaves the count once the whole step is older than
the period. It therefore looks back over a period and at most one step more, never over less than a period.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

PeriodName = Literal["day", "week", "month", "total"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """How far a rolling budget looks back, and in what steps. `length` is a multiple of `step`."""

    length: timedelta
    step: timedelta


ROLLING = {
    "day": Span(timedelta(days=1), timedelta(minutes=30)),
    "week": Span(timedelta(days=7), timedelta(hours=2)),
    "month": Span(timedelta(days=30), timedelta(hours=12)),
}
"""At most 84 steps each, whatever the traffic. A rolling month has 30 days."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """How the windows of a budget follow each other.

    `anchor`: the first day of a calendar week (1 Monday to 7 Sunday) or month (1 to 31); 1 for everything else.
    """

    period: PeriodName
    rolling: bool = False
    time_zone: str = "UTC"
    anchor: int = 1

    @property
    def span(self) -> str:
        """How long a window lasts, in words: `a day`, `30 days rolling`, `in total`."""
        if self.rolling:
            return {"day": "24 hours", "week": "7 days", "month": "30 days"}[self.period] + " rolling"
        return "in total" if self.period == "total" else f"a {self.period}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `starts_at` up to, and without, `ends_at`; None: for ever."""

    starts_at: datetime
    ends_at: datetime | None


def bounds(cycle: Cycle, *, now: datetime, since: datetime) -> Bounds:
    """The window that `now` is in. Total and rolling budgets have a single one, from `since` on."""
    if cycle.period == "total" or cycle.rolling:
        return Bounds(since, None)
    zone = ZoneInfo(cycle.time_zone)
    first = _first_day(cycle, now.astimezone(zone).date())
    # Where clocks are set back over midnight, the local date of a moment may be the day before the window's first.
    while _midnight(first, zone) > now:
        first = _first_day(cycle, first - _DAY)
    while (ends_at := _midnight(_next_first_day(cycle, first), zone)) <= now:
        first = _next_first_day(cycle, first)
    return Bounds(_midnight(first, zone), ends_at)


def horizon(span: Span, now: datetime) -> datetime:
    """Steps that began before this have left the count of a rolling budget."""
    return step_start(span, now) - span.length


def step_start(span: Span, now: datetime) -> datetime:
    """The beginning of the step that `now` is in."""
    return _floor(now, span.step)


def leaves_at(span: Span, step_starts_at: datetime) -> datetime:
    """When the spend of a step leaves the count: the moment that `horizon` passes it."""
    return step_starts_at + span.step + span.length


def stretch_start(span: Span, now: datetime) -> datetime:
    """Where a fixed stretch of one period begins. A rolling budget may report a threshold once in each."""
    return _floor(now, span.length)


def period_name(value: str) -> PeriodName:
    """The period of that name. Raises ValueError."""
    for name in get_args(PeriodName):
        if value == name:
            known: PeriodName = name
            return known
    raise ValueError(f"not a period: {value!r}")


def _floor(now: datetime, step: timedelta) -> datetime:
    return _EPOCH + (now - _EPOCH) // step * step


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # With fold 0 a time that was skipped is read with the offset from before the gap, as PEP 495 has it: where midnight
    # is the first minute that was skipped, this is the moment of the change.
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _first_day(cycle: Cycle, day: date) -> date:
    """The first day of the day, week or month that `day` is in."""
    if cycle.period == "week":
        return day - timedelta(days=(day.isoweekday() - cycle.anchor) % 7)
    if cycle.period == "month":
        first = _anchored(day.year, day.month, cycle.anchor)
        return first if first <= day else _anchored(*_month_after(day.year, day.month, -1), cycle.anchor)
    return day


def _next_first_day(cycle: Cycle, first: date) -> date:
    if cycle.period == "week":
        return first + timedelta(days=7)
    if cycle.period == "month":
        return _anchored(*_month_after(first.year, first.month, 1), cycle.anchor)
    return first + _DAY


def _anchored(year: int, month: int, anchor: int) -> date:
    return date(year, month, min(anchor, calendar.monthrange(year, month)[1]))


def _month_after(year: int, month: int, months: int) -> tuple[int, int]:
    index = year * 12 + month - 1 + months
    return index // 12, index % 12 + 1
