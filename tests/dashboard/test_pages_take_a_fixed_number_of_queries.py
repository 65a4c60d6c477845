"""However much there is, a page asks the same few questions."""

from datetime import timedelta
from random import Random

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.audit import services as audit
from apps.dashboard.demo import filling, making
from apps.dashboard.demo.cast import TEAMS
from apps.jobs.models import Job
from apps.keys import members
from apps.keys.models import ApiKey, Project, Role
from tests.dashboard.conftest import person, window

PAGES = {
    "overview": 32,
    "jobs": 8,
    "refused": 9,
    "keys": 10,
    "budgets": 10,
    "batches": 8,
    "capabilities": 10,
    "playground": 8,
    "members": 8,
    "audit": 8,
}
"""Most queries of each page."""


OVER_ALL = {"all": 40, "all-jobs": 10}


@pytest.fixture
def alice(filled: Project) -> User:
    return person("alice", filled)


def queries(user: User, address: str) -> list[str]:
    client = window(user)
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def address(name: str, *rest: object) -> str:
    return reverse(f"dashboard:{name}", args=["atlas", *rest])


def test_lists_do(alice: User, filled: Project) -> None:
    _sixty_more(1)  # there is something on each page, whatever day it is
    few = {name: queries(alice, address(name)) for name in PAGES}
    _sixty_more(2)
    for name, most in PAGES.items():
        many = queries(alice, address(name))
        assert len(few[name]) == len(many), "\n".join([name, *many])
        assert len(many) <= most, "\n".join([name, *many])


def test_pages_over_all_projects_do(filled: Project) -> None:
    one, many, staff = person("alice", filled), person("mira"), person("stan", staff=True)
    for project in Project.objects.all():
        members.add(project=project, user=many, role=Role.VIEWER, actor="system", now=timezone.now())
    for name, most in OVER_ALL.items():
        few, more, all_ = (queries(user, reverse(f"dashboard:{name}")) for user in (one, many, staff))
        assert len(few) == len(more) <= most, "\n".join(more)
        assert len(all_) <= most, "\n".join(all_)


def test_a_job_a_key_and_a_budget_do(alice: User, filled: Project) -> None:
    job = Job.objects.of(filled).filter(kind="task", status="completed").first()
    key = ApiKey.objects.filter(project=filled, name="ci-bot").first()
    budget = filled.budgets.first()
    assert job
    assert key
    assert budget
    counts = [
        len(queries(alice, address("job", job.pk))),
        len(queries(alice, address("key", key.public_id))),
        len(queries(alice, address("budget", budget.pk))),
    ]
    assert max(counts) <= 22, counts


def _sixty_more(times: int) -> None:
    """The same project with sixty jobs more, and one that was refused."""
    project = Project.objects.get(slug="atlas")
    keys = list(ApiKey.objects.filter(project=project))
    rng = Random(times)
    now = timezone.now()
    cast = {key.name: key for key in TEAMS[0].keys}
    for number in range(60):
        key = keys[number % len(keys)]
        at = now - timedelta(hours=60 - number)
        made = making.job(cast[key.name], rng, at=at, number=number + times * 10**13)
        filling._run(project, key, made, at=at, now=now)
    audit.record(
        actor=f"key:{keys[0].public_id}",
        action="job.refused",
        target_type="job",
        target_id=f"job_{times}",
        project_id=project.slug,
        outcome="refused",
        reason="Enough is enough.",
        data={"kind": "chat", "model": "claude-haiku-5-5", "cap_microusd": 1},
        now=now,
    )
