"""Calendar windows over time zones, daylight saving and leap years; rolling ones never look back too short."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.budgets.periods import (
    ROLLING,
    Bounds,
    Cycle,
    PeriodName,
    bounds,
    horizon,
    leaves_at,
    step_start,
    stretch_start,
)

ZONES = sorted(zone for zone in available_timezones() if zone not in {"localtime", "Factory"})
ANCHORS = {"day": 1, "week": 7, "month": 31}
SINCE = datetime(1990, 1, 1, tzinfo=UTC)

# From 2012 on: in 2011 Samoa skipped a day, see below.
moments = st.datetimes(datetime(2012, 2, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


@st.composite
def cycles(draw: st.DrawFn) -> Cycle:
    period: PeriodName = draw(st.sampled_from(("day", "week", "month")))
    anchor = draw(st.integers(1, ANCHORS[period]))
    return Cycle(period, time_zone=draw(st.sampled_from(ZONES)), anchor=anchor)


@st.composite
def moments_near_a_change_of_clocks(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment within a few hours of one of its changes, found by bisection; any moment if it has none."""
    zone, start = draw(st.sampled_from(ZONES)), draw(moments)
    low, high = start, start + timedelta(days=200)
    offset = low.astimezone(ZoneInfo(zone)).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        if middle.astimezone(ZoneInfo(zone)).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return zone, high + timedelta(minutes=draw(st.integers(-180, 180)))


def window(cycle: Cycle, now: datetime) -> Bounds:
    return bounds(cycle, now=now, since=SINCE)


def local(moment: datetime | None, zone: str) -> str:
    assert moment is not None
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def check_partition(cycle: Cycle, now: datetime) -> None:
    this = window(cycle, now)
    assert this.ends_at is not None
    assert this.starts_at <= now < this.ends_at
    assert window(cycle, this.starts_at) == this
    assert window(cycle, this.ends_at - timedelta(microseconds=1)) == this
    assert window(cycle, this.ends_at).starts_at == this.ends_at
    assert window(cycle, this.starts_at - timedelta(microseconds=1)).ends_at == this.starts_at


@given(cycles(), moments)
def test_every_moment_is_in_exactly_one_window(cycle: Cycle, now: datetime) -> None:
    check_partition(cycle, now)


@given(st.sampled_from(("day", "week", "month")), moments_near_a_change_of_clocks(), st.integers(1, 7))
def test_windows_touch_around_every_change_of_clocks(
    period: PeriodName, where: tuple[str, datetime], anchor: int
) -> None:
    zone, now = where
    check_partition(Cycle(period, time_zone=zone, anchor=1 if period == "day" else anchor), now)


@pytest.mark.parametrize(
    ("zone", "now", "starts"),
    [
        # At one minute past midnight clocks went back to yesterday, whose window had ended.
        ("America/St_Johns", "2010-11-07T02:45", "2010-11-07T02:30"),
        # At half past eleven clocks went on to tomorrow, whose window begins at what would have been midnight.
        ("America/Toronto", "1919-03-31T04:45", "1919-03-30T05:00"),
    ],
)
def test_windows_touch_where_a_change_of_clocks_crosses_midnight(zone: str, now: str, starts: str) -> None:
    cycle, moment = Cycle("day", time_zone=zone), datetime.fromisoformat(f"{now}+00:00")
    check_partition(cycle, moment)
    assert window(cycle, moment).starts_at == datetime.fromisoformat(f"{starts}+00:00")


@given(cycles(), moments)
def test_a_window_begins_at_local_midnight_of_its_anchor(cycle: Cycle, now: datetime) -> None:
    zone = ZoneInfo(cycle.time_zone)
    start = window(cycle, now).starts_at.astimezone(zone)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    exists = midnight.astimezone(UTC).astimezone(zone).replace(fold=0) == midnight
    assert not exists or midnight == start
    if cycle.period == "week" and exists:
        assert start.isoweekday() == cycle.anchor
    if cycle.period == "month" and exists:
        assert start.day == cycle.anchor or (start.day < cycle.anchor and (start + timedelta(days=1)).day == 1)


@given(cycles(), moments)
def test_a_window_is_as_long_as_its_name(cycle: Cycle, now: datetime) -> None:
    this = window(cycle, now)
    assert this.ends_at is not None
    days = (this.ends_at - this.starts_at) / timedelta(days=1)
    shortest, longest = {"day": (1, 1), "week": (7, 7), "month": (28, 31)}[cycle.period]
    assert shortest - 0.1 <= days <= longest + 0.1


@pytest.mark.parametrize(
    ("zone", "now", "starts", "hours"),
    [
        ("Europe/Berlin", "2025-03-30T12:00", "2025-03-29T23:00", 23),
        ("Europe/Berlin", "2025-10-26T12:00", "2025-10-25T22:00", 25),
        ("America/New_York", "2025-11-02T12:00", "2025-11-02T04:00", 25),
        ("Asia/Kolkata", "2025-06-01T12:00", "2025-05-31T18:30", 24),
        ("Africa/Cairo", "2024-04-26T12:00", "2024-04-25T22:00", 23),  # midnight itself is skipped
        ("America/Havana", "2024-11-03T12:00", "2024-11-03T04:00", 25),  # midnight comes twice
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29T10:00", 24),  # 30 December 2011 did not happen
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", 24),
    ],
)
def test_days_are_as_long_as_the_clock_makes_them(zone: str, now: str, starts: str, hours: int) -> None:
    this = window(Cycle("day", time_zone=zone), datetime.fromisoformat(f"{now}+00:00"))
    start = datetime.fromisoformat(f"{starts}+00:00")
    assert this == Bounds(start, start + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("anchor", "now", "starts", "ends"),
    [
        (1, "2025-12-31 23:59", "2025-12-01", "2026-01-01"),
        (1, "2026-01-01 00:00", "2026-01-01", "2026-02-01"),
        (15, "2026-01-03 12:00", "2025-12-15", "2026-01-15"),
        (31, "2024-02-29 00:00", "2024-02-29", "2024-03-31"),  # a leap year
        (31, "2025-02-28 00:00", "2025-02-28", "2025-03-31"),
        (29, "2025-02-27 23:59", "2025-01-29", "2025-02-28"),
        (30, "2025-04-30 08:00", "2025-04-30", "2025-05-30"),
    ],
)
def test_months_begin_on_their_anchor_or_on_their_last_day(anchor: int, now: str, starts: str, ends: str) -> None:
    zone = "Europe/Lisbon"
    moment = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    this = window(Cycle("month", time_zone=zone, anchor=anchor), moment)
    assert (local(this.starts_at, zone), local(this.ends_at, zone)) == (f"{starts} 00:00", f"{ends} 00:00")


@pytest.mark.parametrize(
    ("anchor", "now", "starts"),
    [
        (1, "2026-01-01 12:00", "2025-12-29"),
        (7, "2026-01-01 12:00", "2025-12-28"),
        (4, "2026-01-01 00:00", "2026-01-01"),
    ],
)
def test_weeks_run_over_the_end_of_the_year(anchor: int, now: str, starts: str) -> None:
    zone = "Asia/Tokyo"
    this = window(
        Cycle("week", time_zone=zone, anchor=anchor), datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    )
    assert local(this.starts_at, zone) == f"{starts} 00:00"
    assert this.ends_at == this.starts_at + timedelta(days=7)


def test_total_and_rolling_budgets_have_one_window_for_ever() -> None:
    for cycle in (Cycle("total"), Cycle("day", rolling=True), Cycle("month", rolling=True)):
        assert bounds(cycle, now=datetime(2030, 5, 5, tzinfo=UTC), since=SINCE) == Bounds(SINCE, None)


@given(st.sampled_from(sorted(ROLLING)), moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_rolling_spend_counts_for_a_period_and_at_most_one_step_more(
    period: str, spent_at: datetime, age: timedelta
) -> None:
    span, now = ROLLING[period], spent_at + age
    counts = step_start(span, spent_at) >= horizon(span, now)
    assert counts == (now < leaves_at(span, step_start(span, spent_at)))
    if age <= span.length:
        assert counts
    if age > span.length + span.step:
        assert not counts


def test_a_rolling_budget_has_few_steps_and_they_fill_its_length() -> None:
    for span in ROLLING.values():
        assert span.length % span.step == timedelta(0)
        assert span.length // span.step <= 84


@given(st.sampled_from(sorted(ROLLING)), moments)
def test_the_stretches_in_which_a_rolling_budget_alerts_touch(period: str, now: datetime) -> None:
    span = ROLLING[period]
    start = stretch_start(span, now)
    assert start <= now < start + span.length
    assert stretch_start(span, start) == start
    assert stretch_start(span, start - timedelta(microseconds=1)) == start - span.length
