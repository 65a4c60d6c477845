"""The pages over all projects show what their reader may see, and nothing else."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.claude import spec
from apps.claude.spec import Outcome
from apps.dashboard import figures
from apps.jobs.closing import close
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, Status
from apps.jobs.taskmodels import Approval
from apps.keys import members, services
from apps.keys.models import ApiKey, Project, Role
from tests.dashboard.conftest import person, window

ALL = ("all", "all-jobs")


@pytest.fixture
def borealis(db: None) -> Project:
    return services.ensure_project(slug="borealis", now=timezone.now())[0]


@pytest.fixture
def secret(db: None) -> Project:
    """Of nobody in this file but staff."""
    return services.ensure_project(slug="hushhush", now=timezone.now())[0]


@pytest.fixture
def both(atlas: Project, borealis: Project) -> User:
    """Owns one, views the other."""
    user = person("alice", atlas)
    members.add(project=borealis, user=user, role=Role.VIEWER, actor="system", now=timezone.now())
    return user


def key_of(project: Project) -> ApiKey:
    return services.issue(project=project, name=f"bot-of-{project.slug}", now=timezone.now())[0]


def running(key: ApiKey, text: str) -> Job:
    now = timezone.now()
    return Job.objects.create(
        id=new_job_id(now),
        kind="task",
        project=key.project,
        api_key=key,
        model="claude-sonnet-5-5",
        requested_model="sonnet",
        request={"description": text},
        cap_microusd=1_000_000,
        status=Status.IN_PROGRESS,
        created_at=now,
        started_at=now,
        lease_until=now + timedelta(minutes=1),
        expires_at=now + timedelta(minutes=1),
    )


def ended(key: ApiKey, text: str, *, microusd: int) -> Job:
    """A job that has cost so much."""
    job = running(key, text)
    now = timezone.now()
    call = spec.Call(
        id="call",
        model="claude-sonnet-5-5",
        usage=spec.Usage(input_tokens=10, output_tokens=5),
        cost_microusd=microusd,
        status=200,
        started_at=now.timestamp(),
        duration_seconds=1.0,
        first_token_seconds=0.1,
        priced=True,
        estimated=False,
        price_version="test",
    )
    close(job=job, outcome=Outcome("completed", text="Done.", calls=(call,)), events=(), where=Q(), now=now)
    return job


def asked(job: Job) -> Approval:
    """A call of the job that waits for somebody."""
    now = timezone.now()
    return Approval.objects.create(
        job=job,
        call_id=f"toolu_{job.pk[-8:]}",
        tool="Bash",
        input={"command": f"make {job.project.slug}"},
        asked_at=now,
        expires_at=now + timedelta(minutes=5),
    )


def text_of(client: Client, name: str, **query: str) -> str:
    answer = client.get(reverse(f"dashboard:{name}"), query)
    assert answer.status_code == 200
    return answer.text


def test_members_see_their_projects_and_no_other(
    both: User, atlas: Project, borealis: Project, secret: Project
) -> None:
    for project in (atlas, borealis, secret):
        ended(key_of(project), f"Asked in {project.slug}.", microusd=1000)
        asked(running(key_of(project), f"Runs in {project.slug}."))
    pages = [text_of(window(both), name) for name in ALL]
    pages += [text_of(window(both), "all", by=by) for by in ("project", "model", "key")]
    pages += [window(both).get(reverse(f"dashboard:{name}"), headers={"HX-Request": "true"}).text for name in ALL]
    for page in pages:
        assert "hushhush" not in page
    assert "Runs in atlas." in pages[0]
    assert "Runs in borealis." in pages[0]
    assert "Asked in borealis." in pages[1]


def test_sums_are_those_of_the_projects(both: User, atlas: Project, borealis: Project, secret: Project) -> None:
    for project, cost in ((atlas, 1_250_001), (borealis, 20_001), (secret, 5)):
        ended(key_of(project), "Spend.", microusd=cost)
    mine = text_of(window(both), "all")
    assert f'title="{figures.exact_money(1_270_002)}">{figures.money(1_270_002)}</dd>' in mine
    for cost in (1_250_001, 20_001):
        assert f'title="{figures.exact_money(cost)}">{figures.money(cost)}' in mine
    everything = text_of(window(person("stan", staff=True)), "all")
    assert f'title="{figures.exact_money(1_270_007)}">' in everything


def test_a_project_leads_to_its_own_overview_of_the_same_time(both: User) -> None:
    page = text_of(window(both), "all", range="7d", by="key")
    assert 'href="/p/borealis/?range=7d"' in page


def test_the_newest_jobs_of_all_come_first_and_go_on_by_id(
    both: User, atlas: Project, borealis: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.dashboard.queries.everywhere.listed.__kwdefaults__", {"before": "", "size": 2})
    keys = [key_of(atlas), key_of(borealis)]
    ids = [ended(keys[number % 2], f"number {number}", microusd=1).pk for number in range(5)]
    first = text_of(window(both), "all-jobs")
    assert [job_id in first for job_id in ids] == [False, False, False, True, True]
    second = text_of(window(both), "all-jobs", before=ids[3])
    assert [job_id in second for job_id in ids] == [False, True, True, False, False]
    assert "No job matches" in text_of(window(both), "all-jobs", status="failed")


def test_who_sees_many_projects_sees_the_same_list(
    both: User, atlas: Project, borealis: Project, secret: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [ended(key_of(project), "Asked.", microusd=1).pk for project in (atlas, borealis, secret)]
    monkeypatch.setattr("apps.dashboard.queries.everywhere.APART", 1)
    page = text_of(window(both), "all-jobs")
    assert [job_id in page for job_id in jobs] == [True, True, False]


def test_a_call_is_offered_to_those_who_may_decide_only(both: User, atlas: Project, borealis: Project) -> None:
    mine, theirs = (asked(running(key_of(project), "Build.")) for project in (atlas, borealis))
    page = text_of(window(both), "all")
    assert "make atlas" in page
    assert "make borealis" in page
    assert f"/approvals/{mine.call_id}" in page
    assert f"/approvals/{theirs.call_id}" not in page
    viewer = window(both).get("/p/borealis/").text
    assert "make borealis" in viewer
    assert 'name="decision"' not in viewer


def test_a_decision_from_the_overview_leads_back_to_it(both: User, atlas: Project) -> None:
    waiting = asked(running(key_of(atlas), "Build."))
    address = reverse("dashboard:job-decide", args=["atlas", waiting.job_id, waiting.call_id])
    answer = window(both).post(address, {"decision": "deny", "back": "all"})
    assert answer["Location"] == "/all/"
    waiting.refresh_from_db()
    assert (waiting.decision, waiting.decided_by) == ("deny", "user:alice")


def test_a_search_finds_what_they_may_see_wherever_it_is(both: User, borealis: Project, secret: Project) -> None:
    job, key, hidden = ended(key_of(borealis), "Find me.", microusd=1), key_of(borealis), key_of(secret)
    client, address = window(both), reverse("dashboard:all-search")
    assert client.get(address, {"q": job.pk})["Location"] == f"/p/borealis/jobs/{job.pk}"
    assert client.get(address, {"q": key.public_id})["Location"] == f"/p/borealis/keys/{key.public_id}"
    assert client.get(address, {"q": "atlas"})["Location"] == "/p/atlas/"
    for text in (hidden.public_id, hidden.name, "hushhush", ""):
        assert client.get(address, {"q": text}).status_code == 404


def test_nobody_sees_them_without_logging_in_and_without_a_project_there_is_nothing(db: None) -> None:
    for name in (*ALL, "all-search"):
        assert Client().get(reverse(f"dashboard:{name}")).status_code == 302
    client = window(person("new"))
    assert client.get(reverse("dashboard:all"))["Location"] == "/"
    assert "No jobs yet" in text_of(client, "all-jobs")
