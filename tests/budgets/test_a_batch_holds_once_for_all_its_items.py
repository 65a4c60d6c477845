from datetime import timedelta
from typing import Any

import pytest

from apps.budgets import services
from apps.budgets.fitting import Amounts
from apps.budgets.models import Hold, LedgerEntry
from apps.budgets.services import BudgetExceeded, Envelope, Reservation
from apps.budgets.verifying import verify
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle

SHARE = Amounts(2 * CENT, 100)


def item(key: ApiKey, number: int, wanted: int = USD, **more: Any) -> Reservation:
    """An item of the batch, which has set two cents and 100 tokens aside for it."""
    envelope = Envelope("batch_1", SHARE)
    facts = {"shrink": True, "minimum_microusd": CENT, "minimum_tokens": 1, "out_of": envelope}
    return hold(key, f"job_{number}", wanted, 100, **{**facts, **more})


def batch(key: ApiKey, items: int) -> Reservation:
    return hold(key, "batch_1", items * SHARE.microusd, items * SHARE.tokens, shrink=True)


def test_an_item_s_share_moves_over_and_is_counted_once(ci: ApiKey, budget: MakeBudget) -> None:
    project, own = budget(USD), budget(2 * USD, key=ci)
    batch(ci, 10)
    assert counters(project) == (0, 20 * CENT)
    item(ci, 1, SHARE.microusd)
    assert counters(project) == counters(own) == (0, 20 * CENT)
    assert sorted(Hold.objects.values_list("job_id", "amount_microusd", "amount_tokens")) == [
        ("batch_1", 18 * CENT, 900),
        ("batch_1", 18 * CENT, 900),
        ("job_1", 2 * CENT, 100),
        ("job_1", 2 * CENT, 100),
    ]
    assert verify().differences == ()


def test_what_is_left_over_is_free_to_the_micro_dollar_when_items_and_batch_have_ended(
    ci: ApiKey, budget: MakeBudget
) -> None:
    day = budget(USD)
    batch(ci, 3)
    for number, cost in enumerate((3, 7_777, 0)):
        item(ci, number)
        settle(ci, f"job_{number}", cost)
        assert verify().differences == ()
    assert counters(day) == (7_780, 0)
    services.release(job_id="batch_1", now=NOON)
    assert counters(day) == (7_780, 0)
    assert verify().differences == ()


def test_a_batch_that_ends_early_gives_back_what_its_items_never_took(ci: ApiKey, budget: MakeBudget) -> None:
    day = budget(USD)
    batch(ci, 10)
    item(ci, 1, SHARE.microusd)
    services.release(job_id="batch_1", now=NOON)
    assert counters(day) == (0, 2 * CENT)
    settle(ci, "job_1", CENT)
    assert counters(day) == (CENT, 0)
    assert verify().differences == ()


def test_beyond_its_share_an_item_takes_an_eighth_of_what_is_free(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    batch(ci, 10)
    assert item(ci, 1).amount_microusd == 80 * CENT // 8
    assert hold(ci, "chat", 70 * CENT).amount_microusd == 70 * CENT
    assert item(ci, 2).amount_microusd == 2 * CENT  # the share is there whatever others do


def test_an_item_gets_its_whole_cap_where_there_is_room(ci: ApiKey, budget: MakeBudget) -> None:
    budget(100 * USD)
    batch(ci, 10)
    assert item(ci, 1).amount_microusd == USD


def test_an_empty_envelope_leaves_an_item_to_what_is_free(ci: ApiKey, budget: MakeBudget) -> None:
    day = budget(10 * CENT)
    batch(ci, 1)
    item(ci, 1, SHARE.microusd)
    item(ci, 2, SHARE.microusd)
    assert counters(day) == (0, 4 * CENT)
    hold(ci, "chat", 6 * CENT)
    with pytest.raises(BudgetExceeded):
        item(ci, 3)
    assert verify().differences == ()


def test_an_item_after_midnight_holds_in_the_new_day(ci: ApiKey, budget: MakeBudget) -> None:
    day = budget(USD)
    batch(ci, 5)
    tomorrow = NOON + timedelta(days=1)
    item(ci, 1, SHARE.microusd, now=tomorrow)
    assert counters(day) == (0, 2 * CENT)
    assert Hold.objects.get(job_id="batch_1").amount_microusd == 10 * CENT
    settle(ci, "job_1", CENT, now=tomorrow)
    services.release(job_id="batch_1", now=tomorrow)
    assert verify().differences == ()


def test_without_a_budget_nothing_is_moved(ci: ApiKey) -> None:
    batch(ci, 3)
    assert item(ci, 1).amount_microusd == USD
    assert not LedgerEntry.objects.exists()
