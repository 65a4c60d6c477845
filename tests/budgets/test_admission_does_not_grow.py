"""What admission costs depends on the budgets above the job, and on nothing that happened or exists elsewhere."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import environ
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from apps.budgets import services, statements
from apps.budgets.models import Budget, BudgetWindow, Hold, LedgerEntry
from apps.budgets.periods import Cycle
from apps.keys import services as keys
from apps.keys.models import ApiKey, Project
from tests.budgets.conftest import CENT, NOON, USD, MakeBudget, hold, settle

MANY = 3000


def fill(project: Project, key: ApiKey, window: BudgetWindow) -> None:
    """Many keys with a budget each, in the same project, and a long past under the budget that counts."""
    ApiKey.objects.bulk_create(
        ApiKey(project=project, name="x", public_id=f"k{n:011}", digest=f"{n}", last4="xxxx", created_at=NOON)
        for n in range(MANY)
    )
    others = ApiKey.objects.filter(project=project, name="x")
    Budget.objects.bulk_create(
        Budget(project=project, api_key=other, limit_microusd=1, period="day", created_at=NOON, updated_at=NOON)
        for other in others
    )
    BudgetWindow.objects.bulk_create(
        BudgetWindow(budget_id=window.budget_id, starts_at=NOON - timedelta(days=n + 2), ends_at=NOON)
        for n in range(MANY)
    )
    Hold.objects.bulk_create(
        Hold(
            job_id=f"job_old_{n}",
            window=window,
            project=project,
            api_key=key,
            amount_microusd=1,
            amount_tokens=0,
            state="settled",
            created_at=NOON,
            expires_at=NOON,
            ended_at=NOON,
        )
        for n in range(MANY)
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(kind="reserve", project=project, api_key=key, job_id=f"job_old_{n}", window=window, created_at=NOON)
        for n in range(MANY)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plans(statement: str) -> str:
    """How the database means to run it, its parameters all 1 or a moment."""
    moment = "'2025-11-12'" if "starts_at" in statement.partition("WHERE")[2] else "1"
    head, *rest = statement.split("%s")
    values = ["1"] * len(rest)
    if moment != "1":
        values[1] = moment
    if "job_id = %s" in statement:
        values = ["'job_1'"]
    filled = head + "".join(value + part for value, part in zip(values, rest, strict=True))
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(explain + filled)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def check_plans() -> None:
    for statement in (statements._BINDING, statements._LOCK, statements._HOLDS):
        plan = plans(statement)
        scans = {line for line in plan.splitlines() if line.startswith("SCAN ")}
        assert scans <= {"SCAN CONSTANT ROW", "SCAN successor"}, plan  # SQLite; both hold a key and its successors
        assert "Seq Scan" not in plan, plan  # PostgreSQL
    assert "budget_of_project" in plans(statements._BINDING)
    assert "budget_of_key" in plans(statements._BINDING)


def queries(key: ApiKey, job_id: str, now: datetime) -> list[int]:
    """How many statements it takes to reserve and to settle."""
    with CaptureQueriesContext(connection) as reserving:
        hold(key, job_id, CENT, now=now)
    with CaptureQueriesContext(connection) as settling:
        settle(key, job_id, 1, now=now)
    return [len(reserving), len(settling)]


def test_it_takes_as_many_statements_with_a_long_past_as_without(ci: ApiKey, budget: MakeBudget) -> None:
    budget(100 * USD)
    hold(ci, "job_first", CENT)
    before = queries(ci, "job_before", NOON)
    fill(ci.project, ci, BudgetWindow.objects.get())
    assert queries(ci, "job_after", NOON) == before == [5, 4]


def test_every_statement_of_a_job_uses_an_index(ci: ApiKey, budget: MakeBudget) -> None:
    budget(100 * USD)
    hold(ci, "job_first", CENT)
    fill(ci.project, ci, BudgetWindow.objects.get())
    check_plans()


@pytest.fixture
def on_postgres(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """This thread's default connection is one to PostgreSQL, with our tables."""
    url = request.getfixturevalue("postgres").new_database()
    ours: Any = connections["default"]
    aliases = {**settings.DATABASES, "default": dict(environ.Env.db_url_config(url))}
    previous = connections.settings
    with django_db_blocker.unblock():
        connections.settings = connections.configure_settings(aliases)
        connections["default"] = connections.create_connection("default")
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connections["default"].close()
            connections.settings = previous
            connections["default"] = ours


def test_postgresql_uses_an_index_for_each_of_them_too(on_postgres: None) -> None:
    project, _ = keys.ensure_project(slug="atlas", now=NOON)
    key, _ = keys.issue(project=project, name="ci", now=NOON)
    services.create(
        project=project,
        cycle=Cycle("day"),
        terms=services.Terms(limit_microusd=USD),
        actor="user:alice",
        now=NOON,
    )
    hold(key, "job_first", CENT)
    fill(project, key, BudgetWindow.objects.get())
    check_plans()
