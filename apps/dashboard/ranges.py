"""The stretch of time a page shows, as its address says it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CHOICES: dict[str, tuple[str, timedelta]] = {
    "24h": ("Last 24 hours", DAY),
    "7d": ("Last 7 days", 7 * DAY),
    "30d": ("Last 30 days", 30 * DAY),
    "90d": ("Last 90 days", 90 * DAY),
}
USUAL = "30d"
LONGEST = 400 * DAY


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` up to, and without, `end`; both on whole hours."""

    start: datetime
    end: datetime
    name: str
    """A key of CHOICES; empty for one of the reader's own."""
    compare: bool

    @property
    def bucket(self) -> timedelta:
        """How wide a bar of its charts is: an hour up to two days, else a day."""
        return HOUR if self.end - self.start <= 2 * DAY else DAY

    @property
    def before(self) -> "Range":
        """The stretch of the same length that ends where this one begins."""
        return Range(self.start - (self.end - self.start), self.start, "", False)

    @property
    def title(self) -> str:
        """`Last 30 days`, `3 Mar – 9 Mar`."""
        if self.name:
            return CHOICES[self.name][0]
        last = self.end - timedelta(microseconds=1)
        if self.bucket == HOUR:
            return f"{_day(self.start)} {self.start:%H:%M} – {_day(last)} {self.end:%H:%M}"
        return f"{_day(self.start)} – {_day(last)}"

    @property
    def parameters(self) -> dict[str, str]:
        """What says it in an address."""
        own = {"from": f"{self.start:%Y-%m-%dT%H:%M}", "to": f"{self.end:%Y-%m-%dT%H:%M}"}
        return ({"range": self.name} if self.name else own) | ({} if self.compare else {"compare": "0"})


def read(parameters: Mapping[str, str], *, now: datetime) -> Range:
    """The range of an address; what is missing or makes no sense becomes the usual one."""
    compare = parameters.get("compare") != "0"
    start, end = _moment(parameters.get("from")), _moment(parameters.get("to"))
    if start and end and HOUR <= end - start <= LONGEST and start < now:
        return _aligned(start, min(end, _after(now)), "", compare)
    name = parameters.get("range", USUAL)
    if name not in CHOICES:
        name = USUAL
    return _aligned(_after(now) - CHOICES[name][1], _after(now), name, compare)


def _aligned(start: datetime, end: datetime, name: str, compare: bool) -> Range:
    """On whole hours; on whole days (UTC) where bars are days, so that no bar is a part of one."""
    if end - start > 2 * DAY:
        begin = start.replace(hour=0, minute=0, second=0, microsecond=0)
        if name and begin < start:  # the last 30 days are today and the 29 before
            begin += DAY
        return Range(begin, end, name, compare)
    return Range(start.replace(minute=0, second=0, microsecond=0), end, name, compare)


def _after(now: datetime) -> datetime:
    """The next whole hour: the present one is part of the picture."""
    return now.replace(minute=0, second=0, microsecond=0) + HOUR


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (
        (found if found.tzinfo else found.replace(tzinfo=UTC))
        .astimezone(UTC)
        .replace(minute=0, second=0, microsecond=0)
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


def context(period: Range, *, compares: bool = True) -> dict[str, object]:
    """What the page's head shows of it."""
    choices = [(name, title) for name, (title, _) in CHOICES.items()]
    return {"period": period, "period_choices": choices, "period_compares": compares}
