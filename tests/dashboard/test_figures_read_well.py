from datetime import UTC, datetime, timedelta

import pytest

from apps.dashboard import figures

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("microusd", "words"),
    [
        (None, "–"),
        (0, "$0"),
        (1, "$0.000001"),
        (4_213, "$0.0042"),
        (42, "$0.000042"),
        (9_949, "$0.0099"),
        (9_999, "$0.01"),
        (10_000, "$0.01"),
        (12_400_000, "$12.40"),
        (1_234_567_890, "$1,234.57"),
        (-4_213, "−$0.0042"),
        (-1_000_000, "−$1.00"),
    ],
)
def test_money_never_looks_like_nothing_when_it_is_something(microusd: int | None, words: str) -> None:
    assert figures.money(microusd) == words


def test_the_exact_sum_has_every_micro_dollar() -> None:
    assert figures.exact_money(12_404_213) == "$12.404213"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (987, "987"),
        (999.9, "1.0k"),
        (12_400, "12.4k"),
        (999_960, "1.0M"),
        (48_200_000, "48.2M"),
        (3 * 10**9, "3.0B"),
    ],
)
def test_counts_are_short(number: float, words: str) -> None:
    assert figures.compact(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.84, "840 ms"),
        (12.3, "12.3 s"),
        (59.97, "1 min"),
        (240, "4 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (259_200, "3 d"),
    ],
)
def test_durations_have_the_unit_that_fits(seconds: float, words: str) -> None:
    assert figures.duration(seconds) == words


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=40), "40 s ago"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(hours=3, minutes=10), "3 h ago"),
        (timedelta(days=3), "3 d ago"),
        (-timedelta(days=3), "in 3 d"),
        (timedelta(days=40), "23 Jan"),
        (timedelta(days=400), "28 Jan 2025"),
    ],
)
def test_ages_are_relative_until_they_are_dates(away: timedelta, words: str) -> None:
    assert figures.ago(NOON - away, now=NOON) == words


def test_a_share_is_never_all_or_nothing_unless_it_is() -> None:
    shares = [figures.percent(part, 100_000) for part in (0, 1, 99_999, 100_000)]
    assert shares == ["0 %", "0.1 %", "99.9 %", "100 %"]
    assert figures.percent(0, 0) == "–"


def test_a_change_compares_with_the_period_before() -> None:
    changes = [
        figures.change(now, before) for now, before in ((112, 100), (97, 100), (100.1, 100), (5, 0), (4200, 100))
    ]
    assert changes == ["+12 %", "−3 %", "±0 %", "", "×42"]
