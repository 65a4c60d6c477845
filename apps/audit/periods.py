"""Periods as the list's address names them: `2026`, `2026-11`, `2026-11-22`, `today`, `7d`. All in UTC."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_CALENDAR = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_RECENT = {"today": 0, "7d": 6, "30d": 29}
RECENT_TITLES = {"today": "Today", "7d": "Last 7 days", "30d": "Last 30 days"}


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until just before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """A period to go to: what the address and the page call it."""

    value: str
    title: str


def period(value: str, *, now: datetime) -> Period | None:
    """The period of that name; None if it is none."""
    if value in _RECENT:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Period(midnight - timedelta(days=_RECENT[value]), midnight + timedelta(days=1))
    parts = _parts(value)
    try:
        return _calendar_period(parts) if parts else None
    except (ValueError, OverflowError):
        return None


def parent(value: str) -> Choice | None:
    """One step out: a day's month, a month's year, a year's everything. None outside the calendar."""
    match _parts(value):
        case (year, month, _):
            return Choice(f"{year:04}-{month:02}", _month_title(year, month))
        case (year, _):
            return Choice(f"{year:04}", str(year))
        case (_,):
            return Choice("", "All dates")
    return None


def children(value: str, *, first: datetime, last: datetime) -> list[Choice]:
    """One step in: the years, months or days of a period in which there may be rows, the first and last being known."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    match _parts(value):
        case None if value == "":
            return [Choice(f"{year:04}", str(year)) for year in range(first.year, last.year + 1)]
        case (year,):
            months = [(year, month) for month in range(1, 13)]
            low, high = (first.year, first.month), (last.year, last.month)
            return [Choice(f"{y:04}-{m:02}", _month_title(y, m)) for y, m in months if low <= (y, m) <= high]
        case (year, month) if 1 <= month <= 12:
            days = [datetime(year, month, day, tzinfo=UTC) for day in range(1, calendar.monthrange(year, month)[1] + 1)]
            inside = [day for day in days if first.date() <= day.date() <= last.date()]
            return [Choice(f"{day:%Y-%m-%d}", f"{day.day} {day:%b}") for day in inside]
    return []


def _parts(value: str) -> tuple[int, ...] | None:
    found = _CALENDAR.fullmatch(value)
    return tuple(int(part) for part in found.groups() if part) if found else None


def _calendar_period(parts: tuple[int, ...]) -> Period:
    year, month, day = (*parts, 1, 1)[:3]
    start = datetime(year, month, day, tzinfo=UTC)
    match len(parts):
        case 1:
            return Period(start, datetime(year + 1, 1, 1, tzinfo=UTC))
        case 2:
            return Period(start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
    return Period(start, start + timedelta(days=1))


def _month_title(year: int, month: int) -> str:
    return f"{calendar.month_name[month]} {year}" if 1 <= month <= 12 else f"{year:04}-{month:02}"
