"""The admin's first page: from an id to the thing, and from a question to its answer, in two clicks."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.services import record
from apps.jobs.batches.models import Batch
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job
from apps.keys import services as keys
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from config import overview

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> ApiKey:
    now = timezone.now()
    project, _ = keys.ensure_project(slug="atlas", now=now)
    return keys.issue(project=project, name="ci", now=now)[0]


@pytest.fixture
def job(key: ApiKey) -> Job:
    now = timezone.now()
    facts = {"project": key.project, "api_key": key, "request": {}, "cap_microusd": 1, "model": "claude-haiku-5-5"}
    ended = {"status": "completed", "finished_at": now, "cost_microusd": 4200}
    return Job.objects.create(id=new_job_id(now), created_at=now, expires_at=now, **facts, **ended)


def found(browser: Client, text: str, **more: str) -> str:
    """Where the search leads."""
    return browser.get(reverse("admin:find"), {"q": text, **more}).headers["Location"]


def test_an_id_or_a_name_leads_to_its_page(admin_client: Client, job: Job, key: ApiKey) -> None:
    hexadecimal = job.pk.removeprefix("job_")
    for text, name, pk in (
        (job.pk, "jobs_job", job.pk),
        (f"chatcmpl-{hexadecimal}", "jobs_job", job.pk),
        (key.public_id, "keys_apikey", key.pk),
        (key.hint, "keys_apikey", key.pk),
        (f"key:{key.public_id}", "keys_apikey", key.pk),
        ("atlas", "keys_project", key.project_id),
        ("admin", "auth_user", User.objects.get().pk),
        ("user:admin", "auth_user", User.objects.get().pk),
        ("pro", "permissions_profile", Profile.objects.get(slug="pro").pk),
    ):
        assert found(admin_client, text) == reverse(f"admin:{name}_change", args=[pk]), text


def test_what_has_no_page_leads_to_every_deed_that_names_it(admin_client: Client, db: None) -> None:
    assert found(admin_client, "req_77 &x") == f"{reverse('admin:audit_auditevent_changelist')}?q=req_77+%26x"
    assert found(admin_client, "") == reverse("admin:index")


def test_nobody_finds_anything_without_being_let_in(client: Client, key: ApiKey) -> None:
    assert found(client, "atlas").startswith("/admin/login/")


def test_what_was_refused_is_there_with_the_reason(admin_client: Client, key: ApiKey) -> None:
    reason = "no rule allows model:opus"
    at: Any = {"actor": f"key:{key.public_id}", "target_type": "job", "now": timezone.now()}
    event = record(action="job.refused", target_id="job_1", outcome="refused", reason=reason, **at)
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert reason in page
    address = reverse("admin:audit_auditevent_change", args=[event.pk])
    assert address in page
    shown = admin_client.get(address).content.decode()
    assert f"{reverse('admin:find')}?q=key%3A{key.public_id}" in shown


def test_what_cost_most_is_there_with_its_price(admin_client: Client, job: Job) -> None:
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert "$0.0042" in page
    assert reverse("admin:jobs_job_change", args=[job.pk]) in page


def test_what_is_old_or_free_is_not_among_the_dearest(admin_client: Client, job: Job) -> None:
    assert overview.shown(_request(admin_client), now=timezone.now() + timedelta(days=2))["dearest"] == []
    Job.objects.update(cost_microusd=0)
    assert overview.shown(_request(admin_client), now=timezone.now())["dearest"] == []


def test_nobody_sees_there_what_they_may_not_view(client: Client, job: Job) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(looker)
    page = client.get(reverse("admin:index")).content.decode()
    assert "Keys that expire this week" in page
    assert "Cost most" not in page
    assert "Refused" not in page


def test_it_counts_and_reads_nothing_to_its_end(admin_client: Client, job: Job) -> None:
    tables = ("jobs_job", "audit_auditevent", "budgets_hold", "budgets_alert", "keys_apikey")
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(reverse("admin:index"))
    asked = [query["sql"] for query in queries if any(f'FROM "{table}"' in query["sql"] for table in tables)]
    assert len(asked) > 4
    assert not [sql for sql in asked if "LIMIT" not in sql and " IN (" not in sql]


def _request(browser: Client) -> Any:
    return browser.get(reverse("admin:index")).wsgi_request


def test_every_list_opens_and_asks_for_no_distinct_values_of_a_long_table(admin_client: Client, job: Job) -> None:
    """Django's filters do, for columns without choices: it is a scan of the whole table for each page."""
    few = {"capabilities_capability"}
    for model in admin.site._registry:
        with CaptureQueriesContext(connection) as queries:
            answer = admin_client.get(reverse(f"admin:{model._meta.db_table}_changelist"))
        assert answer.status_code == 200, model
        slow = [query["sql"] for query in queries if "DISTINCT" in query["sql"]]
        assert not slow or model._meta.db_table in few, slow


def test_an_operator_cancels_a_batch_and_is_on_record(admin_client: Client, key: ApiKey) -> None:
    now = timezone.now()
    batch = Batch.objects.create(
        id="batch_1", project=key.project, api_key=key, status="in_progress", total=3, created_at=now, expires_at=now
    )
    address = reverse("admin:jobs_batch_changelist")
    for query in ("batch_1", "atlas"):
        assert "batch_1" in admin_client.get(address, {"q": query}).content.decode()
    page = admin_client.get(reverse("admin:jobs_batch_change", args=["batch_1"])).content.decode()
    assert f"{reverse('admin:jobs_job_changelist')}?batch_id__exact=batch_1" in page
    admin_client.post(address, {"action": "cancel_selected", "_selected_action": ["batch_1"]})
    batch.refresh_from_db()
    assert batch.status in ("cancelling", "cancelled")
    event = AuditEvent.objects.get(action="batch.cancel_requested")
    assert (event.actor, event.target_id) == ("user:admin", "batch_1")
