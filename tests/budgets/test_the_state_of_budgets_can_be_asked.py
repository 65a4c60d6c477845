"""What explain, usage and lists are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.budgets import services
from apps.budgets.fitting import Count
from apps.budgets.models import Budget, BudgetWindow
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, hold, settle


def test_it_names_limits_spend_holds_and_the_next_reset(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, name="daily", zone="Asia/Tokyo")
    budget(5 * USD, tokens=1000, period="month", key=ci)
    hold(ci, "job_1", 30 * CENT, 100)
    settle(ci, "job_1", 10 * CENT)
    hold(ci, "job_2", 20 * CENT, 200)
    daily, monthly = services.state(project_id=ci.project_id, key_id=ci.pk, now=NOON)
    assert (daily.name, daily.scope, daily.span) == ("daily", "project", "a day")
    assert daily.microusd == Count(USD, 10 * CENT, 20 * CENT)
    assert (daily.microusd.remaining, daily.tokens.remaining) == (70 * CENT, None)
    assert daily.resets_at == datetime(2025, 11, 12, 15, tzinfo=UTC)
    assert (monthly.scope, monthly.span) == ("key", "a month")
    assert monthly.tokens == Count(1000, 15, 200)
    assert monthly.resets_at == datetime(2025, 12, 1, tzinfo=UTC)


def test_asking_writes_nothing_and_an_untouched_window_is_empty(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    hold(ci, "job_1", USD)
    (state,) = services.state(project_id=ci.project_id, key_id=ci.pk, now=NOON + timedelta(days=1))
    assert state.microusd == Count(USD, 0, 0)
    assert BudgetWindow.objects.count() == 1


def test_a_project_is_told_of_its_own_budgets_and_a_key_of_both(
    ci: ApiKey, bot: ApiKey, foreign: ApiKey, budget: MakeBudget
) -> None:
    whole, mine = budget(USD), budget(USD, key=ci)
    budget(USD, key=bot)
    budget(USD, key=foreign)

    def asked(key: ApiKey | None) -> list[int]:
        states = services.state(project_id=ci.project_id, key_id=key.pk if key else None, now=NOON)
        return [state.budget_id for state in states]

    assert asked(None) == [whole.pk]
    assert asked(ci) == [whole.pk, mine.pk]


def test_more_spent_than_allowed_leaves_nothing_and_not_less(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    hold(ci, "job_1", USD)
    settle(ci, "job_1", 3 * USD)
    (state,) = services.state(project_id=ci.project_id, key_id=ci.pk, now=NOON)
    assert state.microusd.remaining == 0


def test_an_increase_is_part_of_the_limit_until_it_ends(ci: ApiKey, budget: MakeBudget) -> None:
    limited, end = budget(USD, period="month"), NOON + timedelta(hours=1)
    services.increase_temporarily(
        budget=limited, extra_microusd=USD, until=end, actor="user:alice", reason="", now=NOON
    )
    limits = [services.state(project_id=ci.project_id, key_id=ci.pk, now=now)[0].microusd.limit for now in (NOON, end)]
    assert limits == [2 * USD, USD]


def test_many_budgets_are_described_in_three_queries(
    ci: ApiKey, budget: MakeBudget, django_assert_num_queries: Any
) -> None:
    for number in range(10):
        budget(USD, rolling=number % 2 == 0)
    hold(ci, "job_1", CENT)
    settle(ci, "job_1", CENT)
    budgets = list(Budget.objects.order_by("pk"))
    with django_assert_num_queries(2):
        states = services.states_of(budgets, now=NOON)
    assert [state.microusd.spent for state in states] == [CENT] * 10
