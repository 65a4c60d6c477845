"""Rolling budgets: spend counts for the whole period, leaves in steps, and admission never looks far back."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.budgets import services
from apps.budgets.models import BudgetWindow, LedgerEntry, RollingStep
from apps.budgets.periods import ROLLING
from apps.budgets.services import BudgetExceeded
from apps.budgets.verifying import verify
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle

DAY, STEP = ROLLING["day"].length, ROLLING["day"].step


def spend(key: ApiKey, job_id: str, microusd: int, *, now: datetime) -> None:
    hold(key, job_id, microusd, now=now)
    settle(key, job_id, microusd, now=now)


def fits(key: ApiKey, microusd: int, *, now: datetime) -> bool:
    """Whether a job would fit; it is released at once."""
    try:
        hold(key, f"job_probe_{microusd}_{now.timestamp()}", microusd, now=now)
    except BudgetExceeded:
        return False
    services.release(job_id=f"job_probe_{microusd}_{now.timestamp()}", now=now)
    return True


def test_midnight_does_not_refill_a_rolling_budget(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, rolling=True)
    spend(ci, "job_1", USD, now=NOON)
    assert not fits(ci, 1, now=NOON + timedelta(hours=13))


@pytest.mark.parametrize("minutes", [0, 1, 29])
def test_spend_counts_for_a_whole_day_and_less_than_a_step_more(ci: ApiKey, budget: MakeBudget, minutes: int) -> None:
    budget(USD, rolling=True)
    spent_at = NOON + timedelta(minutes=minutes)
    spend(ci, "job_1", USD, now=spent_at)
    assert not fits(ci, 1, now=spent_at + DAY)
    assert fits(ci, USD, now=spent_at + DAY + STEP)


def test_spend_leaves_step_by_step(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, rolling=True)
    spend(ci, "job_1", 60 * CENT, now=NOON)
    spend(ci, "job_2", 30 * CENT, now=NOON + timedelta(hours=2))
    assert counters(limited) == (90 * CENT, 0)
    assert fits(ci, 70 * CENT, now=NOON + DAY + STEP)
    assert counters(limited) == (30 * CENT, 0)
    assert not fits(ci, 71 * CENT, now=NOON + DAY + STEP)
    assert fits(ci, USD, now=NOON + DAY + STEP + timedelta(hours=2))
    assert counters(limited) == (0, 0)
    assert not RollingStep.objects.exists()


def test_what_leaves_is_in_the_ledger(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, rolling=True)
    spend(ci, "job_1", 60 * CENT, now=NOON)
    fits(ci, 1, now=NOON + 2 * DAY)
    entry = LedgerEntry.objects.get(kind="adjust")
    assert (entry.spent_microusd, entry.spent_tokens) == (-60 * CENT, -15)
    assert not verify().differences


def test_a_long_job_settles_in_the_step_in_which_it_ends(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, rolling=True)
    hold(ci, "job_1", USD)
    late = NOON + 3 * DAY
    settle(ci, "job_1", USD, now=late)
    assert counters(limited) == (USD, 0)
    assert not fits(ci, 1, now=late + DAY)
    assert fits(ci, USD, now=late + DAY + STEP)


def test_a_clock_that_lags_behind_takes_nothing_back(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, rolling=True)
    spend(ci, "job_1", 60 * CENT, now=NOON)
    spend(ci, "job_2", 10 * CENT, now=NOON + DAY + STEP)
    spend(ci, "job_3", 5 * CENT, now=NOON + DAY + STEP - timedelta(seconds=3))
    assert counters(limited) == (15 * CENT, 0)
    assert not verify().differences


def test_a_refusal_says_when_enough_has_left(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, rolling=True)
    spend(ci, "job_1", 30 * CENT, now=NOON)
    spend(ci, "job_2", 50 * CENT, now=NOON + timedelta(hours=2))
    spend(ci, "job_3", 20 * CENT, now=NOON + timedelta(hours=4))
    resets = {}
    for cents in (20, 30, 31, 80, 81, 100):
        with pytest.raises(BudgetExceeded) as refused:
            hold(ci, f"job_{cents}", cents * CENT, now=NOON + timedelta(hours=5))
        resets[cents] = refused.value.resets_at
        moment = resets[cents]
        assert moment is not None
        assert not fits(ci, cents * CENT, now=NOON + timedelta(hours=5, minutes=cents // 10))
    first, second, third = (NOON + timedelta(hours=hours) + DAY + STEP for hours in (0, 2, 4))
    assert resets == {20: first, 30: first, 31: second, 80: second, 81: third, 100: third}
    assert fits(ci, 30 * CENT, now=first)


def test_a_refusal_because_of_running_jobs_alone_names_no_time(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, rolling=True)
    hold(ci, "job_1", USD)
    with pytest.raises(BudgetExceeded) as refused:
        hold(ci, "job_2", 1)
    assert refused.value.resets_at is None


def test_the_state_shows_what_a_rolling_budget_would_forget_without_writing(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, rolling=True)
    spend(ci, "job_1", 60 * CENT, now=NOON)
    spend(ci, "job_2", 30 * CENT, now=NOON + timedelta(hours=2))

    def look(now: datetime) -> tuple[int, datetime | None]:
        (state,) = services.state(project_id=ci.project_id, key_id=ci.pk, now=now)
        return state.microusd.spent, state.resets_at

    assert look(NOON + timedelta(hours=3)) == (90 * CENT, NOON + DAY + STEP)
    assert look(NOON + DAY + STEP) == (30 * CENT, NOON + timedelta(hours=2) + DAY + STEP)
    assert look(NOON + 3 * DAY) == (0, None)
    assert counters(limited) == (90 * CENT, 0)


def test_traffic_of_many_days_leaves_few_steps_and_one_window(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(1000 * USD, rolling=True)
    for hours in range(24 * 4):
        spend(ci, f"job_{hours}", CENT, now=NOON + timedelta(hours=hours))
    assert RollingStep.objects.count() <= DAY // STEP + 1
    assert BudgetWindow.objects.filter(budget=limited).count() == 1
    late = NOON + timedelta(hours=24 * 4)
    with CaptureQueriesContext(connection) as rolling:
        hold(ci, "job_late", CENT, now=late)
    with CaptureQueriesContext(connection) as steady:
        hold(ci, "job_later", CENT, now=late)
    assert len(steady) == 5
    assert len(rolling) <= 5 + 5
    assert not verify().differences
