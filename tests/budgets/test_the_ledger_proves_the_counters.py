"""`ledger_verify`: whatever is tampered with is named; what is right is not."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models

from apps.audit.appendonly import AppendOnly
from apps.budgets import services, verifying
from apps.budgets.models import Budget, BudgetWindow, Hold, LedgerEntry, RollingStep
from apps.budgets.services import BudgetExceeded
from apps.budgets.verifying import Metered, Unordered, align, verify
from apps.claude.spec import Usage
from apps.keys.models import ApiKey
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, hold, settle

USAGE = Usage(10, 5, 3, 2, 1)


@pytest.fixture
def history(ci: ApiKey, budget: MakeBudget) -> list[Budget]:
    """A settled, a held and a released job under a calendar and a rolling budget."""
    both = [budget(USD), budget(USD, rolling=True, key=ci)]
    for number in (1, 2, 3):
        hold(ci, f"job_{number}", 20 * CENT, 100)
    settle(ci, "job_1", 7 * CENT, USAGE)
    services.release(job_id="job_3", now=NOON)
    return both


def egress(**changes: int) -> list[Metered]:
    """What the egress saw of the settled job."""
    seen = {
        "cost_microusd": 7 * CENT,
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 3,
    }
    return [Metered("job_1", **{**seen, **changes})]


def differences(rows: list[Metered] | None = None) -> list[str]:
    return [str(each) for each in verify(egress=None if rows is None else lambda: rows).differences]


def tamper(model: type[models.Model], change: str, *, where: str) -> None:
    """As somebody with the database's password would."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {change} WHERE {where}")
        assert cursor.rowcount == 1


def test_an_untouched_ledger_agrees_with_everything(history: list[Budget]) -> None:
    report = verify(egress=egress)
    assert report.differences == ()
    assert (report.windows, report.holds, report.bills, report.metered_jobs) == (2, 6, 1, 1)


FIRST, SECOND = "window_id = {first}", "window_id = {second}"
BILL = "kind = 'settle' AND window_id IS NULL"


@pytest.mark.parametrize(
    ("model", "change", "where", "found"),
    [
        (BudgetWindow, "spent_microusd = 0", "id = {first}", "window {first}: counter and ledger, spent_microusd"),
        (BudgetWindow, "spent_tokens = 22", "id = {first}", "window {first}: counter and ledger, spent_tokens: 22"),
        (BudgetWindow, "reserved_tokens = 0", "id = {second}", "window {second}: counter and holds, reserved_tok"),
        (Hold, "amount_microusd = 1", f"state = 'held' AND {FIRST}", "window {first}: counter and holds"),
        (Hold, "state = 'released'", f"job_id = 'job_1' AND {FIRST}", "job_1 in window {first}: hold and ledger"),
        (LedgerEntry, "reserved_microusd = 5", f"kind = 'release' AND {FIRST}", "job_3 in window {first}"),
        (LedgerEntry, "spent_microusd = 5", BILL, "job_1: bill and smallest booking"),
        (LedgerEntry, "job_id = 'job_x'", BILL, "job_x: bill and egress rows"),
        (RollingStep, "spent_microusd = 1", SECOND, "window {second}: counter and steps, spent_microusd"),
    ],
)
def test_whatever_is_changed_is_named(
    history: list[Budget], model: type[models.Model], change: str, where: str, found: str
) -> None:
    first, second = BudgetWindow.objects.order_by("budget_id").values_list("pk", flat=True)
    names = {"first": first, "second": second}
    tamper(model, change, where=where.format(**names))
    assert any(line.startswith(found.format(**names)) for line in differences(egress()))


def test_a_deleted_ledger_row_is_missed(history: list[Budget]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM budgets_ledgerentry WHERE kind = 'settle' AND window_id IS NOT NULL")
    assert len(differences()) > 4


@pytest.mark.parametrize("kind", ["cost_microusd", "input_tokens", "output_tokens", "cache_read_input_tokens"])
def test_a_bill_that_is_not_what_the_egress_saw_is_named(history: list[Budget], kind: str) -> None:
    seen = getattr(egress()[0], kind)
    field = "spent_microusd" if kind == "cost_microusd" else kind
    assert differences(egress(**{kind: seen + 1})) == [
        f"job_1: bill and egress rows, {field}: {seen} against {seen + 1}"
    ]


def test_a_metered_job_without_a_bill_is_named_and_one_that_cost_nothing_is_not(history: list[Budget]) -> None:
    free = Metered("job_2", 0, 0, 0, 0, 0)
    lost = Metered("job_4", 5, 0, 0, 0, 0)
    assert differences([*egress(), free, lost]) == ["job_4: bill and egress rows, spent_microusd: 0 against 5"]


def test_a_bill_without_egress_rows_is_named(history: list[Budget]) -> None:
    assert f"job_1: bill and egress rows, spent_microusd: {7 * CENT} against 0" in differences([])


def test_rows_in_no_order_are_refused_instead_of_compared_wrongly() -> None:
    with pytest.raises(Unordered):
        list(align([("a", 1), ("c", 2), ("b", 3)], [("b", 4)]))
    assert list(align([("a", 1), ("c", 2)], [("b", 3), ("c", 4)])) == [
        ("a", [1, None]),
        ("b", [None, 3]),
        ("c", [2, 4]),
    ]


@pytest.fixture
def egress_source() -> Iterator[None]:
    """The rows that jobs would name."""
    verifying.egress_rows_are(egress)
    yield
    verifying._egress.clear()


def run_command(*arguments: str) -> tuple[int, str]:
    """Its exit status and what it printed."""
    out = StringIO()
    try:
        call_command("ledger_verify", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_it_compared(history: list[Budget], egress_source: None) -> None:
    assert run_command() == (0, "2 windows, 6 holds, 1 bills, egress rows: 1 jobs; all agree.\n")


def test_the_command_says_so_when_nobody_named_the_egress_rows(history: list[Budget]) -> None:
    verifying._egress.clear()
    assert "egress rows: not compared; all agree" in run_command()[1]


def test_the_command_fails_and_names_what_differs(history: list[Budget]) -> None:
    tamper(BudgetWindow, "spent_microusd = 1", where=f"budget_id = {history[0].pk}")
    status, printed = run_command()
    assert status == 1
    assert f"counter and ledger, spent_microusd: 1 against {7 * CENT}" in printed
    assert "1 differences" in printed
    status, printed = run_command("--json")
    assert status == 1
    report: dict[str, Any] = json.loads(printed)
    assert not report["ok"]
    assert report["differences"][0]["but"] == 7 * CENT


def test_the_ledger_refuses_changes_and_deletions(history: list[Budget]) -> None:
    with pytest.raises(AppendOnly):
        LedgerEntry.objects.update(spent_microusd=0)
    with pytest.raises(AppendOnly):
        LedgerEntry.objects.filter(kind="release").delete()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_counters_agree_and_no_limit_is_passed(
    ci: ApiKey, bot: ApiKey, budget: MakeBudget, seed: int
) -> None:
    luck = random.Random(seed)
    budget(USD, zone="America/New_York")
    budget(2 * USD, rolling=True)
    budget(USD, tokens=3000, key=ci, period="week", anchor=3)
    budget(3 * USD, key=bot, period="total")
    now, jobs = NOON, list[tuple[ApiKey, str, int]]()
    for number in range(120):
        now += timedelta(minutes=luck.choice([0, 1, 20, 600]))
        key, job_id = luck.choice([ci, bot]), f"job_{number:04}"
        try:
            held = hold(
                key, job_id, luck.randrange(1, 40 * CENT), luck.randrange(500), now=now, shrink=luck.random() < 0.3
            )
            jobs.append((key, job_id, held.amount_microusd))
        except BudgetExceeded:
            pass
        if jobs and luck.random() < 0.8:
            key, job_id, cap = jobs.pop(luck.randrange(len(jobs)))
            if luck.random() < 0.2:
                services.release(job_id=job_id, now=now)
            else:
                settle(key, job_id, luck.randrange(cap + 1), now=now)
    for window in BudgetWindow.objects.select_related("budget"):
        assert window.spent_microusd + window.reserved_microusd <= (window.budget.limit_microusd or 0)
    assert BudgetWindow.objects.count() > 6
    assert differences() == []
