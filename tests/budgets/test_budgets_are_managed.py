"""Making and changing budgets: what is refused, what is in the record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEvent
from apps.budgets import services
from apps.budgets.models import Budget
from apps.budgets.periods import Cycle
from apps.budgets.services import Terms
from apps.keys.models import ApiKey, Project
from tests.budgets.conftest import NOON, USD, MakeBudget, hold


def event(action: str) -> AuditEvent:
    return AuditEvent.objects.get(action=action)


def test_a_new_budget_is_in_the_record_without_its_secret(budget: MakeBudget, ci: ApiKey) -> None:
    made = budget(USD, key=ci, webhook_url="https://hooks.example.org/x", name="ci", period="week", anchor=7)
    assert made.webhook_secret.startswith("whsec_")
    recorded = event("budget.created")
    assert (recorded.actor, recorded.target_id, recorded.project_id) == ("user:alice", str(made.pk), "atlas")
    after = recorded.data["after"]
    assert (after["limit_microusd"], after["period"], after["anchor"], after["key"]) == (USD, "week", 7, ci.public_id)
    assert made.webhook_secret not in str(recorded.data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"usd": None},
        {"period": "month", "anchor": 32},
        {"period": "week", "anchor": 8},
        {"period": "week", "anchor": 0},
        {"period": "day", "anchor": 2},
        {"period": "total", "rolling": True},
        {"period": "month", "rolling": True, "anchor": 5},
        {"zone": "Europe/Atlantis"},
        {"zone": "../../etc/passwd"},
        {"zone": ""},
        {"usd": -1},
        {"usd": 10**16},
        {"tokens": -1},
        {"thresholds": (0,)},
        {"thresholds": (80, 80)},
        {"thresholds": (101,)},
        {"webhook_url": "http://hooks.example.org/x"},
        {"webhook_url": "ftp://hooks.example.org/x"},
        {"emails": "alice@example.org, nobody"},
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(budget: MakeBudget, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        budget(**{"usd": USD, **wrong})
    assert not Budget.objects.exists()


def test_the_database_refuses_what_the_forms_would(budget: MakeBudget) -> None:
    made = budget(USD)
    for change in ({"period": "year"}, {"anchor": 9}, {"limit_microusd": None}, {"extra_microusd": 5}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Budget.objects.filter(pk=made.pk).update(**change)


def test_a_budget_of_another_projects_key_is_refused(atlas: Project, foreign: ApiKey) -> None:
    with pytest.raises(ValidationError, match="another project"):
        services.create(
            project=atlas,
            api_key=foreign,
            cycle=Cycle("day"),
            terms=Terms(limit_microusd=USD),
            actor="user:alice",
            now=NOON,
        )


def test_an_edit_acts_at_once_and_the_record_has_before_and_after(ci: ApiKey, budget: MakeBudget) -> None:
    made = budget(USD, name="daily", emails="alice@example.org")
    terms = replace(Terms.of(made), limit_microusd=2 * USD, name="")
    assert services.edit(budget=made, terms=terms, actor="user:bob", reason="more traffic", now=NOON)
    assert (made.limit_microusd, made.emails) == (2 * USD, "alice@example.org")
    recorded = event("budget.changed")
    assert (recorded.actor, recorded.reason) == ("user:bob", "more traffic")
    assert recorded.data["before"] == {"name": "daily", "limit_microusd": USD}
    assert recorded.data["after"] == {"name": "", "limit_microusd": 2 * USD}
    hold(ci, "job_1", 2 * USD)


def test_an_edit_that_changes_nothing_is_not_in_the_record(budget: MakeBudget) -> None:
    made = budget(USD, webhook_url="https://hooks.example.org/x")
    assert not services.edit(budget=made, terms=Terms.of(made), actor="user:bob", now=NOON)
    assert not AuditEvent.objects.filter(action="budget.changed").exists()


def test_a_refused_edit_changes_nothing(budget: MakeBudget) -> None:
    made = budget(USD)
    with pytest.raises(ValidationError):
        services.edit(budget=made, terms=Terms(), actor="user:bob", now=NOON)
    made.refresh_from_db()
    assert made.limit_microusd == USD


def test_a_webhook_keeps_its_secret_until_it_gets_another(budget: MakeBudget) -> None:
    made = budget(USD, webhook_url="https://hooks.example.org/x")
    secret = made.webhook_secret
    services.edit(
        budget=made,
        terms=Terms(limit_microusd=USD, webhook_url="https://hooks.example.org/y"),
        actor="user:bob",
        now=NOON,
    )
    assert made.webhook_secret == secret
    services.edit(
        budget=made, terms=replace(Terms.of(made), webhook_secret="another secret"), actor="user:bob", now=NOON
    )
    assert made.webhook_secret == "another secret"
    assert "another secret" not in str([each.data for each in AuditEvent.objects.all()])


def test_deactivating_and_activating_are_in_the_record_once(budget: MakeBudget) -> None:
    made = budget(USD)
    assert not services.activate(budget=made, actor="user:bob", now=NOON)
    assert services.deactivate(budget=made, actor="user:bob", reason="end of trial", now=NOON)
    assert not services.deactivate(budget=made, actor="user:bob", now=NOON)
    assert event("budget.deactivated").reason == "end of trial"
    assert services.activate(budget=made, actor="user:bob", now=NOON)
    assert event("budget.activated").data == {"before": {"active": False}, "after": {"active": True}}


def test_an_increase_is_in_the_record_and_can_be_ended(budget: MakeBudget) -> None:
    made, end = budget(USD), NOON + timedelta(days=1)

    def increase(microusd: int) -> None:
        services.increase_temporarily(
            budget=made, extra_microusd=microusd, until=end, actor="user:bob", reason="launch", now=NOON
        )

    increase(USD // 2)
    assert made.rule(NOON).limit_microusd == USD + USD // 2
    assert made.rule(end).limit_microusd == USD
    assert event("budget.increased").data == {
        "before": {"extra_microusd": 0, "until": None},
        "after": {"extra_microusd": USD // 2, "until": end.isoformat()},
    }
    increase(0)
    assert (made.rule(NOON).limit_microusd, made.extra_until) == (USD, None)


@pytest.mark.parametrize(
    "wrong", [{"until": NOON}, {"extra_microusd": -1}, {"extra_tokens": 5}, {"extra_microusd": 10**16}]
)
def test_an_increase_that_makes_no_sense_is_refused(budget: MakeBudget, wrong: dict[str, Any]) -> None:
    made = budget(USD)
    asked = {"extra_microusd": USD, "until": NOON + timedelta(days=1), **wrong}
    with pytest.raises(ValidationError):
        services.increase_temporarily(budget=made, actor="user:bob", reason="", now=NOON, **asked)
    made.refresh_from_db()
    assert made.extra_until is None
