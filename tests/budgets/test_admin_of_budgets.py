"""Budgets in the admin: made, changed, increased and deactivated through the services, and read at a glance."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.budgets.admin.showing import bar, few
from apps.budgets.fitting import Count
from apps.budgets.models import Budget
from apps.keys.models import ApiKey, Project
from tests.budgets.conftest import CENT, USD, MakeBudget, hold, settle

LIST = "/admin/budgets/budget/"


def form(**changes: Any) -> dict[str, Any]:
    """The form of a new budget as it is sent."""
    sent = {
        "name": "team",
        "limit_usd": "25.50",
        "limit_tokens": "",
        "period": "month",
        "time_zone": "Europe/Berlin",
        "anchor": "15",
        "thresholds": "50, 90 %",
        "webhook_url": "",
        "webhook_secret": "",
        "emails": "",
        "reason": "",
        **changes,
    }
    return {name: value for name, value in sent.items() if value is not None}


def page(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def act(client: Client, action: str, *budgets: Budget, **more: str) -> str:
    """Choose an action for some budgets in the list; the page that comes of it."""
    sent = {"action": action, "_selected_action": [budget.pk for budget in budgets], **more}
    answer = client.post(LIST, sent, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_budget_is_made_and_in_the_record(operator: Client, atlas: Project, ci: ApiKey) -> None:
    answer = operator.post(f"{LIST}add/", form(project=atlas.pk, api_key=ci.pk))
    assert answer.status_code == 302
    made = Budget.objects.get()
    assert (made.limit_microusd, made.limit_tokens, made.thresholds) == (25_500_000, None, [50, 90])
    assert (made.period, made.time_zone, made.anchor, made.api_key) == ("month", "Europe/Berlin", 15, ci)
    event = AuditEvent.objects.get(action="budget.created")
    assert (event.actor, event.ip, event.target_id) == ("user:petra", "127.0.0.1", str(made.pk))


def test_the_secret_of_a_webhook_is_shown_once(operator: Client, atlas: Project) -> None:
    answer = operator.post(f"{LIST}add/", form(project=atlas.pk, webhook_url="https://hooks.example.org/x"))
    made = Budget.objects.get()
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert made.webhook_secret in answer.content.decode()
    assert made.webhook_secret not in page(operator, f"{LIST}{made.pk}/change/")
    changed = form(webhook_url="https://hooks.example.org/y", period=None, time_zone=None, anchor=None)
    assert operator.post(f"{LIST}{made.pk}/change/", changed).status_code == 302
    assert Budget.objects.get().webhook_secret == made.webhook_secret


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"limit_usd": ""}, "Give a limit in dollars, in tokens or both."),
        ({"limit_usd": "-1"}, "greater than or equal to 0"),
        ({"limit_usd": "0.0000001"}, "no more than 6 decimal places"),
        ({"limit_usd": "lots"}, "Enter a number."),
        ({"anchor": "32"}, "less than or equal to 31"),
        ({"period": "week"}, "A first day is for calendar weeks"),
        ({"period": "total", "anchor": "1", "rolling": "on"}, "cannot roll"),
        ({"thresholds": "eighty"}, "Give whole per cents"),
        ({"thresholds": "80, 80"}, "up to five different"),
        ({"webhook_url": "http://hooks.example.org"}, "Enter a valid URL"),
        ({"emails": "nobody"}, "Enter a valid email address"),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_explained_in_the_form(
    operator: Client, atlas: Project, wrong: dict[str, str], complaint: str
) -> None:
    answer = operator.post(f"{LIST}add/", form(project=atlas.pk, **wrong))
    assert complaint in answer.content.decode()
    assert not Budget.objects.exists()


def test_a_key_of_another_project_is_refused(operator: Client, atlas: Project, foreign: ApiKey) -> None:
    answer = operator.post(f"{LIST}add/", form(project=atlas.pk, api_key=foreign.pk))
    assert "The key belongs to another project." in answer.content.decode()


def test_a_change_has_before_after_and_reason_in_the_record(operator: Client, budget: MakeBudget) -> None:
    made = budget(USD, name="daily")
    sent = form(name="daily", limit_usd="2", thresholds="80, 95", reason="more traffic", period=None)
    assert operator.post(f"{LIST}{made.pk}/change/", sent).status_code == 302
    event = AuditEvent.objects.get(action="budget.changed")
    assert (event.actor, event.reason) == ("user:petra", "more traffic")
    assert (event.data["before"], event.data["after"]) == ({"limit_microusd": USD}, {"limit_microusd": 2 * USD})


def test_a_limit_can_be_taken_away_only_if_another_stays(operator: Client, budget: MakeBudget) -> None:
    made = budget(USD)
    answer = operator.post(f"{LIST}{made.pk}/change/", form(limit_usd=""))
    assert "Give a limit in dollars" in answer.content.decode()
    assert operator.post(f"{LIST}{made.pk}/change/", form(limit_usd="", limit_tokens="5")).status_code == 302
    made.refresh_from_db()
    assert (made.limit_microusd, made.limit_tokens) == (None, 5)


def test_scope_and_period_cannot_be_changed(operator: Client, budget: MakeBudget, foreign: ApiKey) -> None:
    made = budget(USD)
    operator.post(f"{LIST}{made.pk}/change/", form(period="total", project=foreign.project_id, api_key=foreign.pk))
    made.refresh_from_db()
    assert (made.period, made.project.slug, made.api_key) == ("day", "atlas", None)


def test_budgets_cannot_be_deleted(operator: Client, budget: MakeBudget) -> None:
    made = budget(USD)
    assert operator.post(f"{LIST}{made.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Budget.objects.exists()


def test_the_list_says_how_each_budget_stands(operator: Client, ci: ApiKey, budget: MakeBudget) -> None:
    now = timezone.now()
    budget(USD, name="daily", now=now)
    budget(5 * USD, tokens=1000, key=ci, period="total", now=now)
    hold(ci, "job_1", 30 * CENT, 100, now=now)
    settle(ci, "job_1", 10 * CENT, now=now)
    hold(ci, "job_2", 20 * CENT, 200, now=now)
    shown = page(operator, LIST)
    assert 'aria-label="$0.10 spent, $0.20 held of $1.00"' in shown
    assert 'aria-label="15 tokens spent, 200 tokens held of 1,000 tokens"' in shown
    for text in (
        "daily <small>a day</small>",
        "$0.70 of $1.00",
        "$4.70 of $5.00",
        '785 of <span title="1,000">1k</span> tokens',
        ' UTC">',
        "atlas</a> › <a",
    ):
        assert text in shown


def test_the_list_takes_as_many_queries_for_many_budgets_as_for_few(
    operator: Client, ci: ApiKey, budget: MakeBudget, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        budget(USD, rolling=number % 2 == 0, key=ci if number % 3 else None)
    hold(ci, "job_1", CENT)
    with django_assert_max_num_queries(10):
        page(operator, LIST)


def test_links_lead_to_windows_holds_ledger_and_record(operator: Client, ci: ApiKey, budget: MakeBudget) -> None:
    made = budget(USD)
    hold(ci, "job_1", CENT)
    shown = page(operator, f"{LIST}{made.pk}/change/")
    for name in ("budgetwindow/?budget__id__exact", "hold/?window__budget__id__exact"):
        url = f"/admin/budgets/{name}={made.pk}"
        assert f'href="{url}"' in shown
        assert "1 " in page(operator, url)
    page(operator, f"/admin/budgets/ledgerentry/?window__budget__id__exact={made.pk}")


def test_a_budget_is_increased_for_a_while(operator: Client, budget: MakeBudget) -> None:
    made, end = budget(USD), timezone.now() + timedelta(days=3)
    asked = act(operator, "increase_selected", made)
    assert "More US dollars" in asked
    assert "budget of atlas" in asked or "atlas" in asked
    sent = {
        "confirmed": "1",
        "extra_usd": "2.5",
        "until_0": f"{end:%Y-%m-%d}",
        "until_1": "12:00",
        "reason": "launch",
    }
    assert "increased." in act(operator, "increase_selected", made, **sent)
    made.refresh_from_db()
    assert made.extra_microusd == 2_500_000
    assert AuditEvent.objects.get(action="budget.increased").reason == "launch"
    assert "$2.50 until" in page(operator, f"{LIST}{made.pk}/change/")


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"reason": ""}, "This field is required"),
        ({"until_0": "2020-01-01"}, "still to come"),
        ({"extra_usd": "-1"}, "greater than or equal to 0"),
        ({"extra_tokens": "5"}, "no such limit to increase"),
    ],
)
def test_a_wrong_increase_is_explained(
    operator: Client, budget: MakeBudget, wrong: dict[str, str], complaint: str
) -> None:
    made = budget(USD)
    day = f"{timezone.now() + timedelta(days=3):%Y-%m-%d}"
    sent = {"confirmed": "1", "extra_usd": "1", "until_0": day, "until_1": "12:00", "reason": "launch", **wrong}
    assert complaint in act(operator, "increase_selected", made, **sent)
    made.refresh_from_db()
    assert made.extra_until is None


def test_deactivating_asks_why_and_activating_does_not(operator: Client, budget: MakeBudget) -> None:
    made = budget(USD)
    assert "For the record." in act(operator, "deactivate_selected", made)
    made.refresh_from_db()
    assert made.active
    assert "1 budget deactivated." in act(operator, "deactivate_selected", made, confirmed="1", reason="trial over")
    assert AuditEvent.objects.get(action="budget.deactivated").reason == "trial over"
    assert "1 budget activated." in act(operator, "activate_selected", made)
    made.refresh_from_db()
    assert made.active


def test_an_onlooker_sees_everything_but_secrets_and_changes_nothing(
    onlooker: Client, ci: ApiKey, budget: MakeBudget
) -> None:
    made = budget(USD, webhook_url="https://hooks.example.org/x")
    hold(ci, "job_1", CENT)
    for shown in (page(onlooker, LIST), page(onlooker, f"{LIST}{made.pk}/change/")):
        assert made.webhook_secret not in shown
        assert "$1.00" in shown
    assert onlooker.post(f"{LIST}{made.pk}/change/", form()).status_code == 403
    assert onlooker.get(f"{LIST}add/").status_code == 403
    act(onlooker, "deactivate_selected", made, confirmed="1", reason="x")
    made.refresh_from_db()
    assert made.active


def test_strangers_see_nothing(client: Client, budget: MakeBudget) -> None:
    made = budget(USD)
    for url in (LIST, f"{LIST}{made.pk}/change/", reverse("admin:budgets_ledgerentry_changelist")):
        assert client.get(url).status_code == 302


def test_a_bar_never_leaves_its_frame() -> None:
    drawn = bar(Count(limit=100, spent=150, reserved=50), "tokens", thresholds=[80], elapsed_percent=None)
    assert 'class="budget-bar over"' in drawn
    assert 'x1="75.0%" x2="100.0%"' in drawn
    assert 'class="mark" x1="40.0%"' in drawn
    assert bar(Count(None, 5, 5), "tokens", thresholds=[80], elapsed_percent=None) == ""
    assert "0.0%" in bar(Count(0, 0, 0), "microusd", thresholds=[80], elapsed_percent=50)


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [(0, "0"), (999, "999"), (1000, "1k"), (12_400, "12.4k"), (3_965_200, "3.97M"), (2 * 10**9, "2G")],
)
def test_many_tokens_are_shown_in_few_figures(tokens: int, shown: str) -> None:
    assert shown in few(tokens)
