"""What `GET /v1/usage` was asked, from its query string. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.api.openai.fields import wrong_value
from apps.jobs.usage import DIMENSIONS, STEPS, Dimension, StepName
from apps.jobs.usage.spans import day_start, zone_of

DEFAULT_DAYS = 30
MOST_STEPS = 2_000
_SECONDS = {"hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 28 * 86_400}
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
GROUPS: Mapping[str, Dimension] = {name: name for name in DIMENSIONS if name != "project"}


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """From `since` up to, and without, `until`; by steps of local time if there is a step, and by groups."""

    since: datetime
    until: datetime
    step: StepName | None
    group_by: tuple[Dimension, ...]
    tz: str
    model: str | None
    kind: str | None
    key: str | None
    """The public id of a key."""


def read(query: Mapping[str, str], *, now: datetime) -> UsageQuery:
    """The question. Raises ApiError (400) naming the parameter."""
    tz = query.get("tz") or "UTC"
    try:
        zone = zone_of(tz)
    except ValueError:
        raise wrong_value("tz", "'tz' is the name of a time zone, such as Europe/Berlin.") from None
    until = _moment(query, "to", zone, days=1) or now
    since = _moment(query, "from", zone, days=0) or until - timedelta(days=DEFAULT_DAYS)
    if not since < until:
        raise wrong_value("from", "'from' must be before 'to'.")
    step, group_by = _groups(query.get("group_by", "day"))
    if step and (until - since).total_seconds() > MOST_STEPS * _SECONDS[step]:
        raise wrong_value("from", f"That would be more than {MOST_STEPS:,} steps; ask for less time or longer steps.")
    named = (query.get(name) or None for name in ("model", "kind", "key_id"))
    return UsageQuery(since, until, step, group_by, tz, *named)


def _groups(text: str) -> tuple[StepName | None, tuple[Dimension, ...]]:
    step: StepName | None = None
    dimensions: list[Dimension] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        steps = [name for name in STEPS if name == word]
        if steps and step is None:
            step = steps[0]
        elif word in GROUPS and GROUPS[word] not in dimensions:
            dimensions.append(GROUPS[word])
        else:
            known = f"at most one of {', '.join(STEPS)}, and any of {', '.join(GROUPS)}"
            raise wrong_value("group_by", f"'group_by' is {known}, each once, separated by commas.")
    return step, tuple(dimensions)


def _moment(query: Mapping[str, str], name: str, zone: ZoneInfo, *, days: int) -> datetime | None:
    """A day, a time or Unix seconds. A day is the local midnight it begins with, `days` later."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        if len(text) == len("2026-11-01") and "-" in text:
            day = date.fromisoformat(text) + timedelta(days=days)
            moment = datetime.fromtimestamp(day_start(day, zone), UTC)
        elif text.replace(".", "", 1).isdigit():
            moment = datetime.fromtimestamp(float(text), UTC)
        else:
            moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + arrives as a space
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError, OSError):
        moment = None
    if moment is None or not _EARLIEST <= moment <= _LATEST:
        example = "2026-11-01, 2026-11-01T12:00:00+01:00 or Unix seconds"
        raise wrong_value(name, f"'{name}' is a day or a time since the year 2000: {example}.")
    return moment
