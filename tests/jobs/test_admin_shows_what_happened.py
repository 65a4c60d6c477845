from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.api.outcomes import RULES
from apps.audit.models import AuditEvent
from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.jobs.execution import Worker
from apps.jobs.models import Job
from apps.jobs.reasons import REASONS, explain
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, followed

SECRET = "the prompt's own words"


@pytest.fixture
def operator(database: str) -> Client:
    """A browser in which the operator is logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("operator", password="x"))
    return client


def test_a_job_is_shown_with_its_calls_and_without_its_words(
    atlas: ApiKey, ask: Ask, worker: Worker, operator: Client
) -> None:
    job = ask(atlas, text=SECRET, tokens=2)
    followed(job)

    page = operator.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()

    assert "completed" in page.lower()
    assert "10 in, 2 out" in operator.get(reverse("admin:jobs_job_changelist")).content.decode()
    assert "$0.000014" in page
    assert SECRET not in page


def test_selected_jobs_are_cancelled(atlas: ApiKey, ask: Ask, operator: Client) -> None:
    jobs = [ask(atlas) for _ in range(3)]

    operator.post(
        reverse("admin:jobs_job_changelist"),
        {"action": "cancel_selected", "_selected_action": [job.pk for job in jobs[:2]]},
    )

    assert [job.status for job in Job.objects.order_by("id")] == ["cancelled", "cancelled", "queued"]


def test_who_cancelled_is_on_record(atlas: ApiKey, ask: Ask, operator: Client) -> None:
    job = ask(atlas)
    operator.post(reverse("admin:jobs_job_changelist"), {"action": "cancel_selected", "_selected_action": [job.pk]})
    event = AuditEvent.objects.get(action="job.cancelled")
    assert (event.actor, event.target_id, event.project_id) == ("user:operator", job.pk, "atlas")


def test_whoever_only_looks_cannot_cancel_or_see_words(atlas: ApiKey, ask: Ask, database: str) -> None:
    looker = User.objects.create_user("looker", password="x", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_job"))
    browser, job = Client(), ask(atlas, text=SECRET)
    browser.force_login(looker)
    browser.post(reverse("admin:jobs_job_changelist"), {"action": "cancel_selected", "_selected_action": [job.pk]})
    assert Job.objects.get(pk=job.pk).status == "queued"
    page = browser.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "Cancel job" not in page
    assert SECRET not in page


def test_the_page_of_a_job_has_its_bill_its_record_and_what_it_was_granted(
    atlas: ApiKey, ask: Ask, worker: Worker, operator: Client, now: datetime
) -> None:
    terms = budgets.Terms(name="of the month", limit_microusd=1_000_000)
    budgets.create(project=atlas.project, api_key=None, cycle=Cycle("month"), terms=terms, actor="test", now=now)
    job = ask(atlas, tokens=2)
    followed(job)
    page = operator.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    for section in ("of the month", "the bill", "+$0.000014", "job.submitted", "job.closed", "any-model, version 1"):
        assert section in page
    for name, pk in (("keys_project", atlas.project_id), ("keys_apikey", atlas.pk)):
        assert reverse(f"admin:{name}_change", args=[pk]) in page
    assert f"{reverse('admin:budgets_ledgerentry_changelist')}?q={job.pk}" in page
    assert f"{reverse('admin:audit_auditevent_changelist')}?target_id={job.pk}" in page


def test_a_failed_job_says_in_words_what_happened_and_what_to_do(
    atlas: ApiKey, ask: Ask, operator: Client, now: datetime
) -> None:
    job = ask(atlas)
    Job.objects.filter(pk=job.pk).update(
        status="failed",
        finished_at=now,
        error_code="upstream_error",
        error_message="no such model",
        upstream_status=404,
    )
    page = operator.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert explain("upstream_error").replace("'", "&#x27;") in page
    assert "no such model" in page
    assert "The provider answered 404." in page


def test_every_error_that_clients_are_told_of_is_explained_to_operators() -> None:
    assert {*RULES} <= {*REASONS}


def test_nobody_edits_a_job(atlas: ApiKey, ask: Ask, operator: Client, now: datetime) -> None:
    job = ask(atlas)

    answer = operator.post(reverse("admin:jobs_job_change", args=[job.pk]), {"status": "completed"})

    assert answer.status_code == 403
    assert Job.objects.get(pk=job.pk).status == "queued"


def test_a_long_list_costs_no_more_queries(
    atlas: ApiKey, ask: Ask, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        ask(atlas)

    with django_assert_max_num_queries(9):
        assert operator.get(reverse("admin:jobs_job_changelist")).status_code == 200
