"""Steps of local time, and which roll-ups cover them exactly. Pure; moments are Unix seconds.

Every time zone of today is ahead of or behind UTC by a multiple of 15 minutes, so the days of any zone are sums of
quarter hours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from math import ceil
from typing import Literal, get_args
from zoneinfo import ZoneInfo

StepName = Literal["hour", "day", "week", "month"]
STEPS: tuple[StepName, ...] = get_args(StepName)
QUARTER, HOUR, DAY = 900, 3600, 86_400
TIERS = (DAY, HOUR, QUARTER)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which a zone keeps one offset, in seconds east of UTC."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` up to, and without, `end`, to be read from roll-ups of `span` seconds."""

    span: int
    start: int
    end: int


def zone_of(name: str) -> ZoneInfo:
    """The zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no time zone {name[:64]!r}") from None


def floor(moment: datetime, span: int) -> int:
    """The last multiple of `span` seconds that is not after the moment."""
    return int(moment.timestamp()) // span * span


def ceiling(moment: datetime, span: int) -> int:
    """The first multiple of `span` seconds that is not before the moment."""
    return -(-ceil(moment.timestamp()) // span) * span


def stretches(zone: ZoneInfo, start: int, end: int) -> list[Stretch]:
    """The range cut where the zone's offset changes."""
    cuts = [start]
    for before, after in pairwise([*range(start, end, DAY), end]):
        if _offset(zone, before) != _offset(zone, after):
            cuts.append(_change(zone, before, after))
    ends = [cut for cut in cuts[1:] if cut < end] + [end]
    return [Stretch(a, b, _offset(zone, a)) for a, b in zip(cuts, ends, strict=False) if a < b]


def widen(since: datetime, until: datetime, step: StepName, zone: ZoneInfo) -> tuple[int, int]:
    """The range of whole local steps that holds what was asked for, at least one step."""
    until = max(until, since + timedelta(seconds=1))
    if step == "hour":
        first = hour_start(stretches(zone, floor(since, DAY) - DAY, floor(since, DAY) + 2 * DAY), floor(since, 1))
        last = until + timedelta(microseconds=-1)
        around = stretches(zone, floor(last, DAY) - DAY, floor(last, DAY) + 2 * DAY)
        return first, hour_end(around, floor(last, 1))
    first_day = step_of(since.astimezone(zone).date(), step)
    last_day = step_of((until - timedelta(microseconds=1)).astimezone(zone).date(), step)
    return day_start(first_day, zone), day_start(_after(last_day, step), zone)


def starts(pieces: Sequence[Stretch], step: StepName, zone: ZoneInfo) -> Iterator[int]:
    """The beginning of every step of a widened range."""
    moment, end = pieces[0].start, pieces[-1].end
    while moment < end:
        yield moment
        if step == "hour":
            moment = hour_end(pieces, moment)
        else:
            day = step_of(datetime.fromtimestamp(moment, zone).date(), step)
            moment = max(moment + 1, day_start(_after(day, step), zone))


def step_of(day: date, step: StepName) -> date:
    """The first day of the day, week (Monday) or month that `day` is in."""
    if step == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day


def day_start(day: date, zone: ZoneInfo) -> int:
    """Its local midnight; where that is skipped, the first moment after it."""
    return int(datetime.combine(day, time.min, zone).timestamp())


def hour_start(pieces: Sequence[Stretch], moment: int) -> int:
    """The beginning of the local hour that the moment is in; where clocks change by half an hour, of what is left."""
    piece = next(piece for piece in pieces if piece.start <= moment < piece.end)
    return max(piece.start, moment - (moment + piece.offset) % HOUR)


def hour_end(pieces: Sequence[Stretch], moment: int) -> int:
    """Its end."""
    piece = next(piece for piece in pieces if piece.start <= moment < piece.end)
    return min(piece.end, moment - (moment + piece.offset) % HOUR + HOUR)


def cover(start: int, end: int, longest: int) -> list[Range]:
    """The range in as few and as coarse pieces as there are roll-ups for; start and end are multiples of 15 minutes."""
    for span in (span for span in TIERS if span <= longest):
        inner = [-(-start // span) * span, end // span * span]
        if inner[0] < inner[1]:
            return [*cover(start, inner[0], span - 1), Range(span, *inner), *cover(inner[1], end, span - 1)]
    return []


def _after(first: date, step: StepName) -> date:
    if step == "month":
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first + timedelta(days=7 if step == "week" else 1)


def _offset(zone: ZoneInfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The moment between the two at which the offset changes. Two changes within a day are unheard of."""
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def moment(seconds: int) -> datetime:
    """As a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
