"""Windows, holds, ledger and alerts in the admin: to read, never to edit; holds can be released."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEvent
from apps.budgets import services
from apps.budgets.models import Alert, BudgetWindow, Hold, LedgerEntry
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, counters, hold, settle

HOLDS = "/admin/budgets/hold/"
LEDGER = "/admin/budgets/ledgerentry/"


@pytest.fixture
def history(ci: ApiKey, budget: MakeBudget) -> Any:
    """A budget with a settled job that crossed a threshold, and a job that still holds."""
    made = budget(USD, webhook_url="https://hooks.example.org/x")
    hold(ci, "job_1", 90 * CENT, 100)
    settle(ci, "job_1", 85 * CENT)
    hold(ci, "job_2", 10 * CENT, 50)
    return made


def page(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def release(client: Client, *holds: Hold, **more: str) -> str:
    sent = {"action": "release_selected", "_selected_action": [each.pk for each in holds], **more}
    return client.post(HOLDS, sent, follow=True).content.decode()


def test_a_hold_is_released_with_a_reason(operator: Client, history: Any) -> None:
    held = Hold.objects.held().get()
    assert "For the record." in release(operator, held)
    assert counters(history) == (85 * CENT, 10 * CENT)
    assert "1 hold released." in release(operator, held, confirmed="1", reason="its worker is gone")
    assert counters(history) == (85 * CENT, 0)
    event = AuditEvent.objects.get(action="hold.released")
    assert (event.actor, event.reason, event.ip) == ("user:petra", "its worker is gone", "127.0.0.1")
    assert "These holds have ended already." in release(operator, held, confirmed="1", reason="again")


def test_an_onlooker_cannot_release(onlooker: Client, history: Any) -> None:
    release(onlooker, Hold.objects.held().get(), confirmed="1", reason="x")
    assert counters(history) == (85 * CENT, 10 * CENT)


@pytest.mark.parametrize("model", [BudgetWindow, Hold, LedgerEntry, Alert])
def test_records_can_be_read_and_neither_added_changed_nor_deleted(
    operator: Client, onlooker: Client, history: Any, model: Any
) -> None:
    row, base = model.objects.first(), f"/admin/budgets/{model._meta.model_name}/"
    for client in (operator, onlooker):
        page(client, base)
        assert 'name="_save"' not in page(client, f"{base}{row.pk}/change/")
        assert client.get(f"{base}add/").status_code == 403
        assert client.post(f"{base}{row.pk}/change/", {"state": "released"}).status_code == 403
        assert client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_the_ledger_reads_like_a_statement(operator: Client, history: Any) -> None:
    shown = page(operator, LEDGER)
    for text in ("+$0.90", "−$0.90", "+$0.85", "+15 tokens", "−100 tokens", "Bill", "job_1"):
        assert text in shown
    bill = LedgerEntry.objects.bills().get()
    assert "10 input, 5 output, 0 read" in page(operator, f"{LEDGER}{bill.pk}/change/")


@pytest.mark.parametrize(("term", "rows"), [("job_1", 3), ("job_2", 1), ("atlas", 4), ("nothing", 0)])
def test_the_ledger_is_searched_by_job_and_by_project(operator: Client, history: Any, term: str, rows: int) -> None:
    assert page(operator, f"{LEDGER}?q={term}").count('class="action-select"') == rows


def test_lists_never_count_to_the_end(operator: Client, history: Any) -> None:
    for url in (LEDGER, HOLDS, "/admin/budgets/budgetwindow/", "/admin/budgets/alert/"):
        with CaptureQueriesContext(connection) as queries:
            page(operator, url)
        counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert counting
        assert all("LIMIT" in sql for sql in counting)
        assert len(queries) < 15


def test_an_alert_says_who_was_told(operator: Client, history: Any) -> None:
    assert "Webhook: waiting" in page(operator, "/admin/budgets/alert/")
    alert = Alert.objects.get()
    assert "https://hooks.example.org/x" in page(operator, f"/admin/budgets/alert/{alert.pk}/change/")

    async def take(post: Any, timestamp: int) -> None:
        return None

    services.deliver_alerts(now=NOON, send_hook=take)
    assert "Webhook: delivered" in page(operator, "/admin/budgets/alert/")


def test_the_ledger_is_exported_exactly_and_without_formulas(operator: Client, history: Any) -> None:
    ids = list(LedgerEntry.objects.values_list("pk", flat=True))
    answer = operator.post(LEDGER, {"action": "export_selected", "_selected_action": ids})
    lines = answer.content.decode().splitlines()
    assert lines[0].startswith("created_at,kind,project,api_key,window_id,job_id,spent_microusd")
    assert len(lines) == len(ids) + 1
    assert any(f"job_1,{85 * CENT},{-90 * CENT}" in line for line in lines)
