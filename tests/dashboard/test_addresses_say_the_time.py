from datetime import UTC, datetime, timedelta

import pytest

from apps.dashboard.ranges import DAY, HOUR, read

NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)


def test_the_usual_range_is_today_and_the_29_days_before() -> None:
    period = read({}, now=NOW)
    assert (period.start, period.end) == (datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC))
    assert (period.bucket, period.name, period.compare) == (DAY, "30d", True)


def test_a_day_is_shown_in_hours() -> None:
    period = read({"range": "24h", "compare": "0"}, now=NOW)
    assert (period.end - period.start, period.bucket, period.compare) == (DAY, HOUR, False)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    period = read({"range": "7d"}, now=NOW)
    assert period.before.end == period.start
    assert period.before.end - period.before.start == period.end - period.start


def test_a_range_of_ones_own_is_kept_in_the_address() -> None:
    period = read({"from": "2026-11-03T00:00", "to": "2026-11-10T00:00"}, now=NOW)
    assert (period.title, period.name) == ("3 Nov – 9 Nov", "")
    assert read(period.parameters, now=NOW) == period


@pytest.mark.parametrize(
    "parameters",
    [
        {"range": "for ever"},
        {"from": "x", "to": "y"},
        {"from": "2026-11-10T00:00", "to": "2026-11-03T00:00"},
        {"from": "1026-11-10T00:00", "to": "2026-11-03T00:00"},
        {"from": "2027-11-10T00:00", "to": "2027-11-13T00:00"},
    ],
)
def test_what_makes_no_sense_is_the_usual_range(parameters: dict[str, str]) -> None:
    assert read(parameters, now=NOW).name == "30d"


def test_a_range_ends_now_at_the_latest() -> None:
    period = read({"from": "2026-11-20T00:00", "to": "2026-11-25T00:00"}, now=NOW)
    assert period.end == NOW.replace(minute=0) + timedelta(hours=1)
