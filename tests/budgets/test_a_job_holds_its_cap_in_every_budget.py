"""Admission: all budgets or none, named refusals, what still fits."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.budgets import services
from apps.budgets.fitting import Amounts, BudgetState, Count, fit
from apps.budgets.models import Budget, BudgetWindow, Hold, LedgerEntry
from apps.budgets.services import BudgetExceeded
from apps.keys.models import ApiKey, Project
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle, states


def test_without_a_budget_a_job_holds_nothing_and_costs_one_query(
    ci: ApiKey, django_assert_num_queries: object
) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        reservation = hold(ci, "job_1", USD)
    assert (reservation.amount_microusd, reservation.budget_ids) == (USD, ())
    assert not LedgerEntry.objects.exists()


def test_a_job_holds_its_cap_in_the_budgets_of_its_project_and_its_key(
    ci: ApiKey, bot: ApiKey, foreign: ApiKey, budget: MakeBudget
) -> None:
    mine = [budget(USD, period="month"), budget(USD, key=ci), budget(tokens=1000, period="total")]
    others = [budget(USD, key=bot), budget(USD, key=foreign)]
    reservation = hold(ci, "job_1", 30 * CENT, 400)
    assert reservation.budget_ids == tuple(each.pk for each in mine)
    assert [counters(each) for each in mine] == [(0, 30 * CENT)] * 3
    assert not BudgetWindow.objects.filter(budget__in=others).exists()


def test_a_job_that_one_budget_refuses_holds_nothing_anywhere(ci: ApiKey, budget: MakeBudget) -> None:
    wide, narrow, last = budget(10 * USD, period="month"), budget(USD), budget(5 * USD, period="week")
    hold(ci, "job_1", 70 * CENT)
    with pytest.raises(BudgetExceeded):
        hold(ci, "job_2", 40 * CENT)
    assert [counters(each) for each in (wide, narrow, last)] == [(0, 70 * CENT)] * 3
    assert states("job_2") == []
    assert not LedgerEntry.objects.filter(job_id="job_2").exists()


def test_a_refusal_names_every_budget_in_the_way_and_when_it_resets(ci: ApiKey, budget: MakeBudget) -> None:
    day = budget(USD, name="daily", zone="Europe/Berlin")
    budget(50 * USD, period="month")
    key = budget(2 * USD, tokens=100, period="month", key=ci)
    hold(ci, "job_0", 20 * CENT)
    settle(ci, "job_0", 10 * CENT)
    hold(ci, "job_1", 80 * CENT, 50)
    with pytest.raises(BudgetExceeded) as refused:
        hold(ci, "job_2", 15 * CENT, 60)
    short = refused.value.shortfalls
    assert [(each.state.budget_id, each.measure, each.needed) for each in short] == [
        (day.pk, "microusd", 15 * CENT),
        (key.pk, "tokens", 60),
    ]
    assert short[0].state.microusd == Count(limit=USD, spent=10 * CENT, reserved=80 * CENT)
    assert short[0].state.resets_at == datetime(2025, 11, 12, 23, tzinfo=UTC)
    assert refused.value.resets_at == datetime(2025, 12, 1, tzinfo=UTC)
    assert str(refused.value) == (
        "Over the project's budget “daily”: $0.10 spent and $0.80 held of $1.00 a day; this request needs $0.15. "
        "It resets at 2025-11-12 23:00 UTC. "
        "Over the key's budget: 15 tokens spent and 50 tokens held of 100 tokens a month; "
        "this request needs 60 tokens. It resets at 2025-12-01 00:00 UTC."
    )


def test_a_job_that_no_window_could_hold_is_told_that_waiting_does_not_help(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    with pytest.raises(BudgetExceeded, match="Not even an empty budget would be enough") as refused:
        hold(ci, "job_1", USD + 1)
    assert refused.value.resets_at is None


def test_a_total_budget_does_not_reset(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, period="total")
    hold(ci, "job_1", USD)
    with pytest.raises(BudgetExceeded, match="It does not reset by itself") as refused:
        hold(ci, "job_2", 1, now=NOON + timedelta(days=5000))
    assert refused.value.resets_at is None


def test_where_one_of_two_never_resets_no_time_is_named(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, period="day")
    budget(USD, period="total")
    hold(ci, "job_1", USD)
    with pytest.raises(BudgetExceeded) as refused:
        hold(ci, "job_2", 1)
    assert len(refused.value.shortfalls) == 2
    assert refused.value.resets_at is None


def test_a_refusal_leaves_the_callers_transaction_usable(ci: ApiKey, atlas: Project, budget: MakeBudget) -> None:
    limited = budget(USD)
    with transaction.atomic():
        with pytest.raises(BudgetExceeded):
            hold(ci, "job_1", 2 * USD)
        atlas.name = "written after the refusal"
        atlas.save()
    atlas.refresh_from_db()
    assert atlas.name == "written after the refusal"
    assert counters(limited) == (0, 0)


def test_a_job_that_its_caller_gives_up_holds_nothing(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)

    with transaction.atomic():
        hold(ci, "job_1", USD)
        transaction.set_rollback(True)
    assert not Hold.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_a_job_may_take_the_last_micro_dollar_and_not_one_more(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD - 1)
    hold(ci, "job_2", 1)
    assert counters(limited) == (0, USD)
    with pytest.raises(BudgetExceeded):
        hold(ci, "job_3", 1)


def test_a_job_that_may_shrink_takes_what_still_fits_into_all_budgets(ci: ApiKey, budget: MakeBudget) -> None:
    first, second = budget(USD), budget(2 * USD, tokens=5000, period="week")
    hold(ci, "job_1", 75 * CENT, 500)
    reservation = hold(ci, "job_2", USD, 9000, shrink=True)
    assert (reservation.amount_microusd, reservation.tokens) == (25 * CENT, 4500)
    assert [counters(each) for each in (first, second)] == [(0, USD)] * 2


def test_a_job_does_not_shrink_below_its_minimum(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD - CENT + 1)
    with pytest.raises(BudgetExceeded, match=r"needs \$0.01"):
        hold(ci, "job_2", USD, shrink=True)
    assert hold(ci, "job_2", USD, shrink=True, minimum_microusd=CENT - 1).amount_microusd == CENT - 1
    assert counters(limited) == (0, USD)


def test_a_small_job_needs_no_more_than_it_asks_for(ci: ApiKey, budget: MakeBudget) -> None:
    budget(CENT // 2)
    assert hold(ci, "job_1", CENT // 4, 10, shrink=True).amount_microusd == CENT // 4


def test_a_new_window_starts_from_nothing_and_the_old_one_keeps_its_holds(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD)
    tomorrow = NOON + timedelta(days=1)
    hold(ci, "job_2", USD, now=tomorrow)
    windows = BudgetWindow.objects.filter(budget=limited).order_by("starts_at")
    assert [each.reserved_microusd for each in windows] == [USD, USD]
    assert [each.starts_at.day for each in windows] == [12, 13]


def test_a_deactivated_budget_binds_nobody(ci: ApiKey, budget: MakeBudget) -> None:
    for limited in (budget(USD), budget(USD, key=ci)):
        services.deactivate(budget=limited, actor="user:alice", now=NOON)
    assert hold(ci, "job_1", 5 * USD).budget_ids == ()


def test_a_new_budget_binds_the_next_job(ci: ApiKey, budget: MakeBudget) -> None:
    hold(ci, "job_1", 5 * USD)
    budget(USD)
    with pytest.raises(BudgetExceeded):
        hold(ci, "job_2", 5 * USD)


def test_nothing_can_be_held_twice_for_one_job(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 10 * CENT)
    with pytest.raises(IntegrityError), transaction.atomic():
        hold(ci, "job_1", 10 * CENT)
    assert counters(limited) == (0, 10 * CENT)


def test_less_than_nothing_cannot_be_held(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    with pytest.raises(ValueError, match="less than nothing"):
        hold(ci, "job_1", -USD)
    assert not BudgetWindow.objects.filter(budget=limited).exists()


counts = st.builds(
    Count, limit=st.none() | st.integers(0, 1000), spent=st.integers(0, 1000), reserved=st.integers(0, 1000)
)


@given(st.lists(st.tuples(counts, counts), max_size=4), *[st.integers(0, 500)] * 4)
def test_what_fits_fits_into_every_budget_and_nothing_more_would(
    pairs: list[tuple[Count, Count]], microusd: int, tokens: int, least_microusd: int, least_tokens: int
) -> None:
    states = [BudgetState(i, "", "project", "a day", m, t, NOON, None) for i, (m, t) in enumerate(pairs)]
    wanted = Amounts(microusd, tokens)
    fitted = fit(states, wanted=wanted, minimum=Amounts(least_microusd, least_tokens))
    rooms = {
        measure: [room for state in states if (room := state.count(measure).remaining) is not None]
        for measure in ("microusd", "tokens")
    }
    if isinstance(fitted, Amounts):
        for measure, found in rooms.items():
            got, asked = getattr(fitted, measure), getattr(wanted, measure)
            assert got == min([asked, *found])
            assert got >= min(asked, {"microusd": least_microusd, "tokens": least_tokens}[measure])
    else:
        assert fitted
        for short in fitted:
            remaining = short.state.count(short.measure).remaining
            assert remaining is not None
            assert remaining < short.needed


def test_the_limits_of_a_budget_include_an_increase_until_it_ends(ci: ApiKey, budget: MakeBudget) -> None:
    limited: Budget = budget(USD, period="month")
    end = NOON + timedelta(hours=1)
    services.increase_temporarily(
        budget=limited, extra_microusd=USD, until=end, actor="user:alice", reason="launch day", now=NOON
    )
    hold(ci, "job_1", 2 * USD)
    settle(ci, "job_1", USD)
    hold(ci, "job_2", USD)
    services.release(job_id="job_2", now=NOON)
    with pytest.raises(BudgetExceeded):
        hold(ci, "job_3", 1, now=end)
