"""Settling: once, with the truth, in the window that held it."""

from datetime import timedelta

import pytest
from django.db import transaction

from apps.budgets import services
from apps.budgets.models import BudgetWindow, LedgerEntry
from apps.claude.spec import Usage
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle, states, window

USAGE = Usage(1, 2, 3, 4, 5)


def test_settling_books_the_cost_and_gives_back_the_rest(ci: ApiKey, budget: MakeBudget) -> None:
    both = [budget(USD), budget(USD, tokens=10_000, period="month", key=ci)]
    hold(ci, "job_1", 50 * CENT, 2000)
    assert settle(ci, "job_1", 12 * CENT, USAGE)
    assert [counters(each) for each in both] == [(12 * CENT, 0)] * 2
    assert (window(both[1]).spent_tokens, window(both[1]).reserved_tokens) == (15, 0)
    assert states("job_1") == ["settled", "settled"]


def test_settling_twice_books_once(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    assert settle(ci, "job_1", 12 * CENT)
    before = LedgerEntry.objects.count()
    assert not settle(ci, "job_1", 12 * CENT)
    assert not settle(ci, "job_1", 0, Usage())
    assert counters(limited) == (12 * CENT, 0)
    assert LedgerEntry.objects.count() == before


def test_a_job_without_a_budget_is_billed_once(ci: ApiKey) -> None:
    assert settle(ci, "job_1", 12 * CENT, USAGE)
    assert not settle(ci, "job_1", 12 * CENT, USAGE)
    bill = LedgerEntry.objects.get()
    assert (bill.project_id, bill.api_key_id, bill.window_id) == (ci.project_id, ci.pk, None)
    assert bill.spent_microusd == 12 * CENT


def test_the_ledger_tells_each_step_and_the_four_kinds_of_tokens(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT, 2000)
    settle(ci, "job_1", 12 * CENT, USAGE)
    fields = ("kind", "window_id", "reserved_microusd", "spent_microusd", "reserved_tokens", "spent_tokens")
    pk = window(limited).pk
    assert list(LedgerEntry.objects.order_by("pk").values_list(*fields)) == [
        ("reserve", pk, 50 * CENT, 0, 2000, 0),
        ("settle", None, 0, 12 * CENT, 0, 15),
        ("settle", pk, -50 * CENT, 12 * CENT, -2000, 15),
    ]
    for entry in LedgerEntry.objects.filter(kind="settle"):
        kinds = (entry.input_tokens, entry.output_tokens, entry.cache_read_input_tokens)
        assert kinds == (1, 2, 3)
        assert entry.cache_creation_input_tokens == 9


def test_a_job_over_midnight_is_booked_in_the_window_that_held_it(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    tomorrow = NOON + timedelta(days=1)
    hold(ci, "job_2", 30 * CENT, now=tomorrow)
    settle(ci, "job_1", 12 * CENT, now=tomorrow)
    old, new = BudgetWindow.objects.filter(budget=limited).order_by("starts_at")
    assert (old.spent_microusd, old.reserved_microusd) == (12 * CENT, 0)
    assert (new.spent_microusd, new.reserved_microusd) == (0, 30 * CENT)


def test_a_job_that_spent_nothing_is_released(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    assert settle(ci, "job_1", 0, Usage())
    assert states("job_1") == ["released"]
    assert counters(limited) == (0, 0)
    assert not LedgerEntry.objects.bills().exists()
    assert not settle(ci, "job_1", 0, Usage())


def test_tokens_without_a_price_are_booked(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, tokens=100)
    hold(ci, "job_1", 50 * CENT, 50)
    assert settle(ci, "job_1", 0, USAGE)
    assert states("job_1") == ["settled"]
    assert window(limited).spent_tokens == 15


def test_what_was_spent_on_a_released_hold_is_booked_all_the_same(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    services.release(job_id="job_1", now=NOON)
    hold(ci, "job_2", USD)
    assert settle(ci, "job_1", 12 * CENT)
    assert counters(limited) == (12 * CENT, USD)
    assert states("job_1") == ["settled"]
    assert not settle(ci, "job_1", 12 * CENT)


def test_more_than_was_held_is_booked_in_full(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    settle(ci, "job_1", 3 * USD)
    assert counters(limited) == (3 * USD, 0)


def test_settling_is_undone_with_the_transaction_that_closes_the_job(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    with transaction.atomic():
        settle(ci, "job_1", 12 * CENT)
        transaction.set_rollback(True)
    assert counters(limited) == (0, 50 * CENT)
    assert settle(ci, "job_1", 12 * CENT)


def test_a_deactivated_budget_still_settles_what_it_held(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 50 * CENT)
    services.deactivate(budget=limited, actor="user:alice", now=NOON)
    settle(ci, "job_1", 12 * CENT)
    assert counters(limited) == (12 * CENT, 0)


def test_less_than_nothing_cannot_be_spent(ci: ApiKey) -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        settle(ci, "job_1", -1)
    with pytest.raises(ValueError, match="less than nothing"):
        settle(ci, "job_1", 1, Usage(input_tokens=-5, output_tokens=9))
    assert not LedgerEntry.objects.exists()
