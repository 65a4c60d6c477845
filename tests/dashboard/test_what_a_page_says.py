"""Pages as a reader without JavaScript gets them."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import Q, Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from apps.audit import services as audit
from apps.audit.models import AuditEvent
from apps.budgets.models import Budget, LedgerEntry
from apps.claude.spec import Outcome
from apps.dashboard import figures
from apps.dashboard.queries import usage
from apps.dashboard.ranges import read
from apps.jobs.batches.models import Batch
from apps.jobs.closing import close
from apps.jobs.events import Event
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, Status
from apps.jobs.usage import Scope
from apps.keys import services
from apps.keys.models import ApiKey, Project
from tests.dashboard.conftest import person, window

HOSTILE = "<script>alert(1)</script> ![x](https://evil.example/x.png) <img src=x onerror=alert(1)> =1+1"


@pytest.fixture
def alice(atlas: Project) -> User:
    return person("alice", atlas)


@pytest.fixture
def page(alice: User) -> Client:
    return window(alice)


def address(name: str, *rest: object, **query: str) -> str:
    return reverse(f"dashboard:{name}", args=["atlas", *rest]) + (f"?{urlencode(query)}" if query else "")


def key_of(project: Project, name: str = "ci") -> ApiKey:
    return services.issue(project=project, name=name, now=timezone.now())[0]


def job_of(key: ApiKey, text: str, *events: Event, status: str = "completed") -> Job:
    """A job that has ended, asked `text`."""
    now = timezone.now()
    job = Job.objects.create(
        id=new_job_id(now),
        project=key.project,
        api_key=key,
        model="claude-sonnet-5-5",
        requested_model="sonnet",
        request={"turns": [{"role": "user", "content": [{"type": "text", "text": text}]}]},
        cap_microusd=1_000_000,
        status=Status.IN_PROGRESS,
        created_at=now,
        started_at=now,
        lease_until=now + timedelta(minutes=1),
        expires_at=now + timedelta(minutes=1),
    )
    close(job=job, outcome=Outcome("completed", text=text), events=events, where=Q(), now=now)
    return job


def test_zero_data_says_what_to_do(page: Client, atlas: Project) -> None:
    hints = {
        "overview": "Nothing runs or waits",
        "jobs": "curl http://testserver/v1/chat/completions",
        "keys": "Issue the first key",
        "budgets": "Set the first budget",
        "batches": "curl http://testserver/v1/batch",
        "refused": "Nothing was refused",
        "playground": "No key to play with",
    }
    missing = {name for name, hint in hints.items() if hint not in page.get(address(name)).text}
    assert missing == set()


def test_what_a_model_says_is_text_wherever_it_is_shown(page: Client, atlas: Project) -> None:
    key = key_of(atlas, name=HOSTILE[:100])
    said = (
        Event(1, "started", {"model": "m"}),
        Event(2, "thinking", {"text": HOSTILE}),
        Event(3, "token", {"text": HOSTILE}),
        Event(4, "tool_use", {"id": "t", "name": HOSTILE, "input": {"command": HOSTILE}, "parent_id": None}),
        Event(5, "tool_result", {"id": "t", "content": HOSTILE, "is_error": True, "parent_id": None}),
        Event(6, "denied", {"id": "d", "name": "Bash", "input": {}, "reason": HOSTILE, "parent_id": None}),
    )
    job = job_of(key, HOSTILE, *said)
    pages = [page.get(address("job", job.pk)), page.get(address("jobs")), page.get(address("key", key.public_id))]
    pages += [page.get(address("overview")), page.get(address("playground")), page.get(address("audit"))]
    for answer in pages:
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].text


def test_a_job_is_a_story_without_a_script(page: Client, atlas: Project) -> None:
    events = (
        Event(1, "started", {"model": "m"}),
        Event(2, "token", {"text": "I look."}),
        Event(3, "tool_use", {"id": "t", "name": "Bash", "input": {"command": "ls -l"}, "parent_id": None}),
        Event(4, "tool_result", {"id": "t", "content": "total 0", "is_error": False, "parent_id": None}),
    )
    text = page.get(address("job", job_of(key_of(atlas), "Look around", *events).pk)).text
    assert [word for word in ("Look around", "I look.", "ls -l", "total 0", "Completed") if word not in text] == []


def test_filters_live_in_the_address(page: Client, atlas: Project) -> None:
    one, other = key_of(atlas, "one"), key_of(atlas, "other")
    mine, theirs = job_of(one, "first question"), job_of(other, "second question")
    text = page.get(address("jobs", key=one.public_id)).text
    assert mine.pk in text
    assert theirs.pk not in text
    assert "No job matches" in page.get(address("jobs", status="failed")).text


def test_lists_go_on_by_key_not_by_number(page: Client, atlas: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.dashboard.queries.jobs.listed.__kwdefaults__", {"before": "", "size": 2})
    key = key_of(atlas)
    ids = [job_of(key, f"question {number}").pk for number in range(5)]
    first = page.get(address("jobs")).text
    second = page.get(address("jobs", before=ids[3])).text
    assert [job_id in first for job_id in ids] == [False, False, False, True, True]
    assert [job_id in second for job_id in ids] == [False, True, True, False, False]


def test_a_secret_is_shown_once_and_never_kept(page: Client, atlas: Project) -> None:
    answer = page.post(address("key-new"), {"name": "bot"})
    assert answer.status_code == 201
    secret = answer.text.split('id="secret" readonly value="')[1].split('"')[0]
    key = services.authenticate(secret=secret, ip=None, now=timezone.now())
    assert "no-store" in answer["Cache-Control"]
    assert answer.text.count(secret) == 4  # the field and three snippets
    assert secret not in page.get(address("key", key.public_id)).text
    assert AuditEvent.objects.get(action="key.issued", target_id=key.public_id).actor == "user:alice"


def test_a_form_says_what_is_wrong_beside_the_field(page: Client, atlas: Project) -> None:
    answer = page.post(address("key-new"), {"name": "bot", "allowed_networks": "nowhere", "requests_per_minute": "0"})
    assert answer.status_code == 200
    assert answer.text.count('role="alert"') == 2
    assert not ApiKey.objects.exists()


def test_a_key_is_changed_rotated_and_revoked(page: Client, atlas: Project) -> None:
    key = key_of(atlas)
    page.post(address("key-change", key.public_id), {"name": "renamed", "requests_per_minute": "7"})
    key.refresh_from_db()
    assert (key.name, key.requests_per_minute) == ("renamed", 7)
    rotated = page.post(address("key-rotate", key.public_id), {"overlap": "hour"})
    assert (rotated.status_code, ApiKey.objects.count()) == (201, 2)
    page.post(address("key-revoke", key.public_id))
    key.refresh_from_db()
    assert key.revoked_at
    assert set(AuditEvent.objects.filter(actor="user:alice", project_id="atlas").values_list("action", flat=True)) == {
        *("key.changed", "key.rotated", "key.issued", "key.revoked")
    }


def test_a_budget_is_made_changed_increased_and_switched_off(page: Client, atlas: Project) -> None:
    made = {
        "name": "Month",
        "limit_usd": "0.5",
        "period": "month",
        "time_zone": "UTC",
        "anchor": "1",
        "thresholds": "50",
    }
    assert page.post(address("budget-new"), made).status_code == 302
    budget = Budget.objects.get()
    assert (budget.limit_microusd, budget.thresholds) == (500_000, [50])
    page.post(address("budget-change", budget.pk), made | {"limit_usd": "0.75"})
    until = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    page.post(address("budget-increase", budget.pk), {"extra_usd": "0.25", "until": until, "reason": "launch"})
    budget.refresh_from_db()
    assert (budget.limit_microusd, budget.extra_microusd) == (750_000, 250_000)
    assert "Increased by" in page.get(address("budget", budget.pk)).text
    page.post(address("budget-switch", budget.pk))
    budget.refresh_from_db()
    assert not budget.active
    deeds = list(
        AuditEvent.objects.filter(actor="user:alice", project_id="atlas")
        .order_by("at")
        .values_list("action", flat=True)
    )
    assert deeds == ["budget.created", "budget.changed", "budget.increased", "budget.deactivated"]


def test_a_budget_without_a_limit_is_refused_in_words(page: Client, atlas: Project) -> None:
    answer = page.post(address("budget-new"), {"period": "month", "time_zone": "UTC", "anchor": "1"})
    assert "Give a limit in dollars, in tokens or both." in answer.text


def test_every_sum_is_the_ledgers_to_the_micro_dollar(filled: Project) -> None:
    text = window(person("alice", filled)).get(address("overview", range="30d")).text
    bills = LedgerEntry.objects.bills().filter(project=filled)
    spent = bills.aggregate(sum=Sum("spent_microusd"))["sum"]
    tokens = bills.aggregate(sum=Sum("spent_tokens"))["sum"]
    period = read({"range": "30d"}, now=timezone.now())
    assert usage.total(Scope([filled.pk]), period).cost_microusd == spent
    assert f'title="{figures.exact_money(spent)}">{figures.money(spent)}' in text
    assert f'title="{tokens:,}">{figures.compact(tokens)}' in text


def test_two_ranges_are_compared(filled: Project) -> None:
    client = window(person("alice", filled))
    assert "vs before" in client.get(address("overview", range="24h")).text
    assert "vs before" not in client.get(address("overview", range="24h", compare="0")).text


def test_the_demonstration_can_be_proven(
    filled: Project, capsys: pytest.CaptureFixture[str], settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path  # where no other test has left heads of its own record
    audit.seal(now=timezone.now())
    call_command("ledger_verify")
    call_command("audit_verify")
    said = capsys.readouterr().out
    assert "all agree" in said
    assert "The audit record is whole" in said


def test_the_demonstration_has_batches_that_ended_in_different_ways(filled: Project) -> None:
    batches = Batch.objects.of(filled)
    assert batches
    assert not batches.unfinished().exists()
    for batch in batches:
        jobs = Job.objects.filter(batch_id=batch.pk)
        assert batch.items.count() == batch.total == batch.completed + batch.failed
        assert not batch.items.waiting().exists()
        assert batch.cost_microusd == sum(job.cost_microusd for job in jobs) > 0
        assert batch.completed == jobs.filter(status="completed").count() > 0


def test_the_demonstration_says_so(page: Client, atlas: Project, settings: Settings) -> None:
    assert "Demonstration." not in page.get(address("overview")).text
    settings.DEMO = True
    assert "Demonstration." in page.get(address("overview")).text


def test_a_batch_says_that_it_waits_for_its_budget(page: Client, atlas: Project) -> None:
    waits_for = {"code": "insufficient_quota", "message": "The month's budget is spent.", "resets_at": None}
    now = timezone.now()
    batch = Batch.objects.create(
        id="batch_1",
        project=atlas,
        api_key=key_of(atlas),
        status="in_progress",
        waits_for=waits_for,
        total=2,
        created_at=now,
        expires_at=now + timedelta(hours=24),
    )

    for place in (address("batches"), address("batch", batch.pk)):
        assert "Waits for its budget" in page.get(place).content.decode()
    assert "The month&#x27;s budget is spent." in page.get(address("batch", batch.pk)).content.decode()
