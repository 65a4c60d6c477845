"""The list of jobs: narrowed, searched and exported, and no slower for a million of them."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.audit.services import record
from apps.jobs.admin import JobAdmin
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import both_databases

LIST = reverse("admin:jobs_job_changelist")


@pytest.fixture
def operator(database: str) -> Client:
    """A browser in which the operator is logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("operator", password="x"))
    return client


def a_job(key: ApiKey, now: datetime, **facts: object) -> Job:
    """A row as if it had run."""
    row = {"status": "completed", "finished_at": now, "model": "claude-haiku-5-5", "kind": "chat", **facts}
    fixed = {"project": key.project, "api_key": key, "request": {}, "cap_microusd": 1, "created_at": now}
    return Job.objects.create(id=new_job_id(now), expires_at=now, **fixed, **row)


def listed(browser: Client, **query: str) -> list[str]:
    """The ids in the list, in order."""
    answer = browser.get(LIST, query)
    assert answer.status_code == 200
    return [job.pk for job in answer.context["cl"].result_list]


@both_databases
def test_it_is_narrowed_by_time_status_error_model_and_kind(atlas: ApiKey, operator: Client, now: datetime) -> None:
    done = a_job(atlas, now)
    failed = a_job(atlas, now - timedelta(hours=2), status="failed", error_code="timeout", model="claude-opus-5-5")
    queued = a_job(atlas, now - timedelta(days=10), status="queued", finished_at=None, kind="task")
    for query, expected in {
        "span=hour": [done],
        "span=day": [done, failed],
        "span=nonsense": [done, failed, queued],
        "status__exact=failed": [failed],
        "status__exact=open": [queued],
        "error_code=any": [failed],
        "error_code=timeout": [failed],
        "error_code=expired": [],
        "model=claude-opus-5-5": [failed],
        "kind=task": [queued],
        f"api_key__id__exact={atlas.pk}": [done, failed, queued],
        f"project__id__exact={atlas.project_id + 1}": [],
    }.items():
        name, _, value = query.partition("=")
        assert listed(operator, **{name: value}) == [job.pk for job in expected], query


@both_databases
def test_it_is_searched_by_any_id_that_somebody_may_have(
    atlas: ApiKey, borealis: ApiKey, operator: Client, now: datetime
) -> None:
    job = a_job(atlas, now)
    a_job(borealis, now)
    record(actor="key:x", action="job.submitted", target_type="job", target_id=job.pk, request_id="req_7", now=now)
    hexadecimal = job.pk.removeprefix("job_")
    key_s = ["ccs_live_atlas_…0000", "atlas", "req_7"]
    for text in (job.pk, f" {job.pk} ", f"chatcmpl-{hexadecimal}", f"resp_{hexadecimal}", hexadecimal, *key_s):
        assert listed(operator, q=text) == [job.pk], text
    assert listed(operator, q="nothing of ours") == []


def test_nothing_is_counted_or_read_to_its_end(
    atlas: ApiKey, operator: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobAdmin, "list_per_page", 1)
    for _ in range(2):
        a_job(atlas, now)
    with CaptureQueriesContext(connection) as queries:
        operator.get(LIST, {"status__exact": "completed"})
    asked = [query["sql"] for query in queries if 'FROM "jobs_job"' in query["sql"]]
    assert asked
    assert all("LIMIT" in sql for sql in asked)
    assert not [sql for sql in asked if "DISTINCT" in sql]
    assert not [sql for sql in asked if '"jobs_job"."request"' in sql or '"jobs_job"."result"' in sql]


def test_it_is_exported_without_formulas_or_words_and_on_record(atlas: ApiKey, operator: Client, now: datetime) -> None:
    atlas.name = "=cmd()"
    atlas.save()
    job = a_job(atlas, now, cost_microusd=1234, result="the answer's own words")
    answer = operator.post(LIST, {"action": "export_selected", "_selected_action": [job.pk]})
    titles, row = answer.content.decode().splitlines()
    assert titles.startswith("id,created_at,status,error_code,kind,project__slug,api_key__name")
    assert row.startswith(job.pk)
    assert ",'=cmd()," in row
    assert ",1234," in row
    assert "own words" not in row
    page = operator.get(reverse("admin:audit_auditevent_changelist"), {"action": "jobs.exported"})
    assert "user:operator" in page.content.decode()
