"""Every page of every model in the admin, those that come later included, on both databases, by a few queries."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.budgets import services as budgets
from apps.budgets.admin.moments import first_since
from apps.budgets.models import LedgerEntry
from apps.budgets.periods import Cycle
from apps.claude.spec import Usage
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job
from apps.keys import expiry, members, services
from apps.keys.models import Role
from tests.support.databases import default_database

MOST_QUERIES = 40
NEEDED = {
    "auth.user",
    "keys.project",
    "keys.apikey",
    "jobs.job",
    "budgets.budget",
    "budgets.ledgerentry",
    "budgets.hold",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def browser(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Client]:
    """An operator's, with a little of everything in the database."""
    if request.param == "sqlite":
        yield _operator()
        return
    with default_database(request.getfixturevalue("migrated_postgres").new_database()):
        yield _operator()


def _operator() -> Client:
    now = timezone.now()
    operator = User.objects.create_superuser("root", email="root@example.org", password="irrelevant")
    project, _ = services.ensure_project(slug="atlas", now=now)
    members.add(project=project, user=operator, role=Role.OWNER, actor="test", now=now)
    long_ago = {"kind": "settle", "project": project, "created_at": now - timedelta(days=60)}
    LedgerEntry.objects.bulk_create(LedgerEntry(job_id=f"old_{n}", **long_ago) for n in range(60))
    for n in range(12):
        terms = budgets.Terms(limit_microusd=10**6, webhook_url="https://hooks.example.org/")
        end = now + timedelta(days=2) if n else None
        key, _ = services.issue(project=project, name=f"key {n}", expires_at=end, now=now - timedelta(days=30))
        budgets.create(project=project, api_key=key, cycle=Cycle("month"), terms=terms, actor="test", now=now)
        job = new_job_id(now)
        held: Any = {"project_id": project.pk, "key_id": key.pk, "job_id": job}
        ends: Any = {"expires_at": now + timedelta(hours=1), "now": now}
        budgets.reserve(**held, amount_microusd=10**6, tokens=1, **ends)
        if n % 2:
            budgets.settle(**held, usage=Usage(), cost_microusd=990_000, now=now)
        facts: dict[str, Any] = {"model": "claude-haiku-5-5", "request": {"turns": []}, "cap_microusd": 1}
        Job.objects.create(id=job, project=project, api_key=key, created_at=now, expires_at=now, **facts)
    expiry.warn(now=now)
    browser = Client()
    browser.force_login(operator)
    return browser


def pages(model: type[Model], shown: ModelAdmin[Any], browser: Client) -> Iterator[tuple[str, str]]:
    """Name and address of each page that there is."""
    options = model._meta
    name = f"admin:{options.app_label}_{options.model_name}"
    listed = reverse(f"{name}_changelist")
    yield "list", listed
    yield "search", f"{listed}?q=atlas"
    request = browser.get(listed).wsgi_request
    if shown.has_add_permission(request):
        yield "add", reverse(f"{name}_add")
    first = shown.get_queryset(request).order_by("pk").first()
    if first is not None:
        yield "change", reverse(f"{name}_change", args=[first.pk])
        yield "history", reverse(f"{name}_history", args=[first.pk])


def test_every_page_opens_by_few_queries_and_every_list_leaves_as_a_file(browser: Client) -> None:
    found = set()
    for model, shown in admin.site._registry.items():
        for page, address in pages(model, shown, browser):
            with CaptureQueriesContext(connection) as queries:
                answer = browser.get(address)
            assert answer.status_code == 200, f"{page} of {model}: {answer.status_code}"
            assert len(queries) <= MOST_QUERIES, f"{page} of {model}: {len(queries)} queries"
            found |= {model._meta.label_lower} if page == "change" else set()
        exporting = [name for name in shown.get_actions(browser.get("/admin/").wsgi_request) if "export" in name]
        listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        rows = list(shown.get_queryset(browser.get(listed).wsgi_request).values_list("pk", flat=True)[:3])
        for action in exporting if rows else []:
            answer = browser.post(listed, {"action": action, "_selected_action": rows})
            assert answer.status_code == 200, f"{action} of {model}"
            assert "attachment" in answer["content-disposition"], f"{action} of {model}"
            assert len(answer.getvalue().splitlines()) >= len(rows), f"{action} of {model}"
    assert found >= NEEDED, "their pages were opened with something on them"


def test_the_ledger_by_time_is_found_by_its_ids(browser: Client) -> None:
    listed = reverse("admin:budgets_ledgerentry_changelist")
    recent = LedgerEntry.objects.exclude(job_id__startswith="old")
    for chosen in ("today", "7d", "30d"):
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(listed, {"time": chosen})
        assert answer.context["cl"].result_count == recent.count()
        assert len(queries) <= MOST_QUERIES
    assert first_since(timezone.now() - timedelta(days=1)) == min(recent.values_list("pk", flat=True))
    assert first_since(timezone.now() - timedelta(days=100)) <= min(LedgerEntry.objects.values_list("pk", flat=True))
    assert first_since(timezone.now() + timedelta(days=1)) > max(LedgerEntry.objects.values_list("pk", flat=True))
