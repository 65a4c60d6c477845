"""Who gets a new secret does not get a new budget."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditEvent
from apps.budgets import services
from apps.budgets.models import Budget
from apps.budgets.services import BudgetExceeded
from apps.keys.models import ApiKey
from apps.keys.rotation import rotate
from tests.budgets.conftest import CENT, NOON, MakeBudget, counters, hold, settle

DAY = timedelta(days=1)


def rotated(key: ApiKey, *, overlap: timedelta = DAY) -> ApiKey:
    return rotate(key=key, overlap=overlap, actor="user:alice", now=NOON)[0]


def test_the_successor_has_the_budget_with_what_was_spent_and_held(ci: ApiKey, budget: MakeBudget) -> None:
    pocket = budget(30 * CENT, key=ci)
    hold(ci, "job_1", 20 * CENT)
    settle(ci, "job_1", 10 * CENT)
    hold(ci, "job_2", 5 * CENT)
    new = rotated(ci)
    pocket.refresh_from_db()
    assert pocket.api_key_id == new.pk
    with pytest.raises(BudgetExceeded):
        hold(new, "job_3", 16 * CENT)
    hold(new, "job_4", 15 * CENT)
    assert counters(pocket) == (10 * CENT, 20 * CENT)


def test_during_the_overlap_both_keys_share_it(ci: ApiKey, budget: MakeBudget) -> None:
    pocket = budget(30 * CENT, key=ci)
    new = rotated(rotated(ci))
    hold(new, "job_1", 10 * CENT)
    hold(ci, "job_2", 10 * CENT)
    assert counters(pocket) == (0, 20 * CENT)
    for key in (ci, new):
        with pytest.raises(BudgetExceeded):
            hold(key, "job_3", 11 * CENT)
        [state] = services.state(project_id=key.project_id, key_id=key.pk, now=NOON)
        assert state.budget_id == pocket.pk


def test_what_the_old_key_held_is_settled_there(ci: ApiKey, budget: MakeBudget) -> None:
    pocket = budget(30 * CENT, key=ci)
    hold(ci, "job_1", 20 * CENT)
    rotated(ci, overlap=timedelta(0))
    settle(ci, "job_1", 15 * CENT)
    assert counters(pocket) == (15 * CENT, 0)


def test_budgets_of_others_stay_where_they_are(ci: ApiKey, bot: ApiKey, budget: MakeBudget) -> None:
    shared, theirs = budget(30 * CENT), budget(30 * CENT, key=bot)
    rotated(ci)
    shared.refresh_from_db()
    theirs.refresh_from_db()
    assert (shared.api_key_id, theirs.api_key_id) == (None, bot.pk)


def test_inactive_ones_come_along_and_the_record_says_so(ci: ApiKey, budget: MakeBudget) -> None:
    idle = budget(30 * CENT, key=ci)
    services.deactivate(budget=idle, actor="user:alice", now=NOON)
    new = rotated(ci)
    assert Budget.objects.get(pk=idle.pk).api_key_id == new.pk
    [deed] = [each for each in AuditEvent.objects.filter(action="budget.changed") if each.target_id == str(idle.pk)]
    assert (deed.actor, deed.data["before"], deed.data["after"]) == (
        "user:alice",
        {"key": ci.public_id},
        {"key": new.public_id},
    )
