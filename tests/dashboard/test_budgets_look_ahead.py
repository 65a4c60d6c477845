from datetime import UTC, datetime, timedelta

from apps.budgets.fitting import BudgetState, Count
from apps.dashboard import outlook
from apps.dashboard.outlook import Outlook

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=30)


def after(days: float, *, spent: int, held: int = 0, limit: int = 300, rolling: bool = False) -> Outlook:
    """How a month's budget looks after some days."""
    state = BudgetState(1, "b", "project", "a month", Count(limit, spent, held), Count(None, 0, 0), START, END)
    return outlook.of(state, (80, 95), now=START + timedelta(days=days), rolling=rolling)[0]


def test_only_what_is_limited_has_an_outlook() -> None:
    assert after(10, spent=1).measure == "microusd"


def test_it_goes_on_as_it_has_gone_so_far() -> None:
    found = after(10, spent=50)
    assert (found.ends_with, found.reaches_at) == (150, None)


def test_it_says_when_it_will_be_used_up() -> None:
    assert after(10, spent=200).reaches_at == START + timedelta(days=15)


def test_a_young_window_says_nothing() -> None:
    assert after(0.1, spent=200).ends_with is None


def test_a_rolling_budget_forgets_and_so_has_no_forecast() -> None:
    found = after(10, spent=200, rolling=True)
    assert (found.ends_with, found.reaches_at, found.now) == (None, None, None)


def test_levels_follow_the_thresholds_and_the_holds() -> None:
    assert [after(10, spent=100).level, after(10, spent=250).level, after(10, spent=100, held=200).level] == [
        "",
        "near",
        "over",
    ]


def test_a_bar_never_leaves_its_box() -> None:
    found = after(10, spent=400, held=100)
    assert (found.spent, found.taken, found.forecast) == (100.0, 100.0, 100.0)
