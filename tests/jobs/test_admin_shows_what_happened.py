from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.jobs.execution import Worker
from apps.jobs.models import Job
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
