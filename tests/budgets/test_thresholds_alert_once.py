"""Somebody is told at 80 and 95 per cent: once in each window."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from apps.audit.models import AuditEvent
from apps.budgets import services
from apps.budgets.fitting import crossed
from apps.budgets.models import Alert, Budget, Notification
from apps.budgets.services import Terms
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, hold, settle

HOOK = "https://hooks.example.org/budget"


def spend(key: ApiKey, job_id: str, microusd: int, *, now: datetime = NOON) -> None:
    hold(key, job_id, microusd, now=now)
    settle(key, job_id, microusd, now=now)


def alerts(budget: Budget) -> list[int]:
    """The thresholds that were reported, in order."""
    return list(Alert.objects.filter(window__budget=budget).order_by("pk").values_list("threshold", flat=True))


def test_each_threshold_is_reported_when_it_is_reached_and_only_then(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    seen = []
    for number, cents in enumerate((79, 1, 10, 5, 4, 1)):
        spend(ci, f"job_{number}", cents * CENT)
        seen.append(alerts(limited))
    assert seen == [[], [80], [80], [80, 95], [80, 95], [80, 95]]


def test_one_job_may_reach_both(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    spend(ci, "job_1", USD)
    assert alerts(limited) == [80, 95]


def test_holds_alone_alert_nobody(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    hold(ci, "job_1", USD)
    assert alerts(limited) == []


def test_the_next_window_reports_again(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    spend(ci, "job_1", 90 * CENT)
    spend(ci, "job_2", 90 * CENT, now=NOON + timedelta(days=1))
    assert alerts(limited) == [80, 80]


def test_a_rolling_budget_reports_at_most_once_in_a_period(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, rolling=True, thresholds=(50,))
    # Crossed at noon of the 13th, and again at 14:00, because at 13:30 yesterday's spend is forgotten.
    for hours, cents in ((1, 30), (24, 30), (26, 30), (51, 50)):
        spend(ci, f"job_{hours}", cents * CENT, now=NOON + timedelta(hours=hours))
    found = Alert.objects.filter(window__budget=limited).order_by("pk")
    assert [alert.period_starts_at.day for alert in found] == [13, 14]
    assert AuditEvent.objects.filter(action="budget.threshold_crossed").count() == 2


def test_tokens_are_watched_as_well_as_money(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, tokens=15)
    spend(ci, "job_1", CENT)
    assert alerts(limited) == [80, 95]
    alert = Alert.objects.filter(threshold=80).get()
    assert (alert.measure, alert.spent, alert.limit) == ("tokens", 15, 15)


def test_a_lowered_limit_reports_what_it_passed(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    spend(ci, "job_1", 40 * CENT)
    terms = replace(Terms.of(limited), limit_microusd=50 * CENT)
    services.edit(budget=limited, terms=terms, actor="user:alice", now=NOON)
    assert alerts(limited) == [80]


def test_an_increase_moves_the_thresholds(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD)
    services.increase_temporarily(
        budget=limited, extra_microusd=USD, until=NOON + timedelta(hours=1), actor="user:alice", reason="", now=NOON
    )
    spend(ci, "job_1", USD)
    assert alerts(limited) == []
    spend(ci, "job_2", 60 * CENT)
    assert alerts(limited) == [80]


def test_an_alert_is_in_the_record_and_on_its_way_to_every_destination(ci: ApiKey, budget: MakeBudget) -> None:
    limited = budget(USD, webhook_url=HOOK, emails="alice@example.org, bob@example.org")
    spend(ci, "job_1", 85 * CENT)
    event = AuditEvent.objects.get(action="budget.threshold_crossed")
    assert (event.actor, event.target_id, event.project_id) == ("system", str(limited.pk), "atlas")
    assert event.data == {"threshold": 80, "measure": "microusd", "spent": 85 * CENT, "limit": USD}
    assert set(Notification.objects.due(NOON).values_list("channel", "destination")) == {
        ("webhook", HOOK),
        ("email", "alice@example.org"),
        ("email", "bob@example.org"),
    }


def test_without_a_destination_the_alert_is_still_recorded(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD)
    spend(ci, "job_1", 85 * CENT)
    assert Alert.objects.count() == 1
    assert not Notification.objects.exists()


def test_a_budget_without_thresholds_is_silent(ci: ApiKey, budget: MakeBudget) -> None:
    budget(USD, thresholds=())
    spend(ci, "job_1", USD)
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected"),
    [
        (0, 79, 100, []),
        (79, 80, 100, [80]),
        (80, 81, 100, []),
        (0, 100, 100, [80, 95, 100]),
        (99, 300, 100, [100]),
        (0, 2, 3, []),
        (2, 3, 3, [80, 95, 100]),
        (0, 50, 0, []),
        (0, 50, None, []),
        (-1, 0, 100, []),
    ],
)
def test_a_threshold_is_crossed_from_below(before: int, after: int, limit: int | None, expected: list[int]) -> None:
    assert crossed([95, 80, 100], before=before, after=after, limit=limit) == expected
