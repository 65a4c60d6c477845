"""No phantom holds: they end with their job's lease, or by hand."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditEvent
from apps.budgets import services
from apps.budgets.models import Hold, LedgerEntry
from apps.budgets.services import BudgetExceeded
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle, states

LATER = NOON + timedelta(minutes=10)


def test_the_hold_of_a_job_that_is_not_heard_of_is_released(ci: ApiKey, budget: MakeBudget) -> None:
    both = [budget(USD), budget(USD, key=ci)]
    hold(ci, "job_1", USD)
    assert services.expire_holds(now=LATER - timedelta(microseconds=1)) == 0
    with pytest.raises(BudgetExceeded):
        hold(ci, "job_2", USD)
    assert services.expire_holds(now=LATER) == 2
    assert [counters(each) for each in both] == [(0, 0)] * 2
    assert states("job_1") == ["released", "released"]
    assert {entry.reason for entry in LedgerEntry.objects.filter(kind="release")} == {"expired"}
    assert services.expire_holds(now=LATER) == 0


def test_a_hold_lives_as_long_as_its_lease_is_extended(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD)
    assert services.extend(job_id="job_1", expires_at=LATER + timedelta(minutes=1))
    assert services.expire_holds(now=LATER) == 0
    assert counters(limited) == (0, USD)
    assert services.expire_holds(now=LATER + timedelta(minutes=1)) == 1


def test_a_hold_that_has_ended_cannot_be_extended(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    hold(ci, "job_1", USD)
    services.release(job_id="job_1", now=NOON)
    assert not services.extend(job_id="job_1", expires_at=LATER)
    assert not services.extend(job_id="job_unknown", expires_at=LATER)


def test_a_settled_hold_does_not_expire(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD)
    settle(ci, "job_1", CENT)
    assert services.expire_holds(now=LATER) == 0
    assert counters(limited) == (CENT, 0)


def test_many_holds_expire_a_portion_at_a_time(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    for number in range(7):
        hold(ci, f"job_{number}", CENT)
    assert [services.expire_holds(now=LATER, limit=3) for _ in range(4)] == [3, 3, 1, 0]


def test_releasing_gives_back_once(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 40 * CENT, 100)
    hold(ci, "job_2", 40 * CENT, 100)
    assert services.release(job_id="job_1", now=NOON)
    assert not services.release(job_id="job_1", now=NOON)
    assert not services.release(job_id="job_unknown", now=NOON)
    assert counters(limited) == (0, 40 * CENT)


def test_a_hold_released_by_hand_is_in_the_record_with_who_and_why(ci: ApiKey, budget: MakeBudget) -> None:
    mine, project_wide = budget(USD, key=ci), budget(USD)
    hold(ci, "job_1", 40 * CENT, 100)
    stuck = Hold.objects.get(window__budget=mine)
    assert services.release_manually(hold=stuck, actor="user:alice", reason="the worker burnt down", now=LATER)
    assert (stuck.state, counters(mine), counters(project_wide)) == ("released", (0, 0), (0, 40 * CENT))
    event = AuditEvent.objects.get(action="hold.released")
    assert (event.actor, event.reason, event.project_id) == ("user:alice", "the worker burnt down", "atlas")
    assert (event.target_type, event.target_id) == ("job", "job_1")
    assert event.data == {"budget": mine.pk, "amount_microusd": 40 * CENT, "amount_tokens": 100}
    assert LedgerEntry.objects.get(kind="release").reason == "user:alice: the worker burnt down"


def test_a_hold_that_has_ended_cannot_be_released_by_hand(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", 40 * CENT)
    stale = Hold.objects.get()
    settle(ci, "job_1", CENT)
    assert not services.release_manually(hold=stale, actor="user:alice", reason="too late", now=NOON)
    assert counters(limited) == (CENT, 0)
    assert not AuditEvent.objects.filter(action="hold.released").exists()
