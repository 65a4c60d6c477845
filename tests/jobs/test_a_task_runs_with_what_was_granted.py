"""A task's whole path with the fake engine: what reaches the engine, and what is left of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.capabilities import services as capabilities
from apps.claude.taskspec import File
from apps.jobs import services
from apps.jobs.admission import Denied
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Session
from apps.jobs.naming import UnknownNames
from apps.jobs.sessions import SessionBusy, SessionNotFound
from apps.jobs.taskrequests import TaskRequest
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from tests.capabilities.conftest import agent, skill
from tests.jobs.conftest import both_databases, followed, task
from tests.jobs.fake_engine import MICROUSD_PER_TOKEN, FakeEngine

pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.CLAUDE_HOME = tmp_path / "claude"
    return tmp_path / "claude"


def submit(key: ApiKey, request: TaskRequest) -> Job:
    return services.submit(key=key, request=request, request_id="req_1", now=timezone.now())


def only(key: ApiKey, **rules: list[str]) -> None:
    """Give the key's profile these rules."""
    assert key.profile_id
    Profile.objects.filter(pk=key.profile_id).update(**{"deny": [], "ask": [], "allow": ["model:*"], **rules})
    key.refresh_from_db()


def test_the_engine_gets_exactly_what_was_granted(
    atlas: ApiKey, worker: Worker, engine: FakeEngine, home: Path
) -> None:
    agent(home, "reviewer", tools="Read, Bash, Write", body="You review.")
    agent(home, "other")
    skill(home, "pdf")
    capabilities.scan(actor="system", now=timezone.now())
    only(atlas, allow=["model:*", "tool:Read", "tool:Bash", "agent:rev*", "skill:*"], ask=["tool:Bash"])
    request = replace(
        task(),
        agents=("reviewer",),
        skills=("pdf",),
        system="Be brief.",
        max_seconds=30,
        max_turns=7,
        files=(File(name="a/b.txt", content=b"\0\xff"),),
    )

    followed(submit(atlas, request))

    [spec] = engine.tasks
    assert spec.tools == ("Read", "Bash", "Agent", "Skill")
    assert spec.ask_tools == ("Bash",)
    [reviewer] = spec.agents
    assert (reviewer.name, reviewer.tools, reviewer.prompt.strip()) == ("reviewer", ("Read", "Bash"), "You review.")
    assert [(each.name, each.directory) for each in spec.skills] == [("pdf", home / "skills" / "pdf")]
    assert (spec.wall_seconds, spec.max_turns, spec.project) == (30, 7, str(atlas.project_id))
    assert spec.files == request.files
    assert spec.system.startswith("Be brief.\n\n")
    assert "reviewer: About reviewer." in spec.system
    assert "pdf: How to pdf." in spec.system


def test_agents_have_the_model_they_want_if_the_key_may_use_it(
    atlas: ApiKey, worker: Worker, engine: FakeEngine, home: Path
) -> None:
    for name, model in (("cheap", "sonnet"), ("dear", "opus"), ("odd", "gpt-4"), ("plain", "inherit")):
        agent(home, name, model=model)
    capabilities.scan(actor="system", now=timezone.now())
    only(atlas, allow=["model:haiku", "model:sonnet", "agent:*", "tool:*"])

    followed(submit(atlas, replace(task(), agents=("cheap", "dear", "odd", "plain"))))

    [spec] = engine.tasks
    assert {each.name: each.model for each in spec.agents} == {
        "cheap": "claude-sonnet-5-5",
        "dear": None,
        "odd": None,
        "plain": None,
    }
    assert spec.models == ("claude-sonnet-5-5",)


def test_a_task_that_names_no_tools_may_look_around_as_far_as_allowed(
    atlas: ApiKey, worker: Worker, engine: FakeEngine
) -> None:
    only(atlas, allow=["model:*", "tool:Read", "tool:Bash", "tool:Grep"])
    followed(submit(atlas, replace(task(), tools=None)))
    followed(submit(atlas, replace(task(), tools=())))

    assert [spec.tools for spec in engine.tasks] == [("Read", "Grep"), ()]


def test_what_does_not_exist_is_told_apart_from_what_is_not_allowed(atlas: ApiKey, home: Path) -> None:
    agent(home, "reviewer")
    agent(home, "secret-agent")
    capabilities.scan(actor="system", now=timezone.now())
    only(atlas, allow=["model:*", "tool:Read", "agent:reviewer"])

    with pytest.raises(UnknownNames) as unknown:
        submit(atlas, replace(task(), tools=("Read", "Read Bash", "*"), agents=("reviewr",)))
    assert "no tool 'Read Bash', '*'. This key may use: Read." in str(unknown.value)
    assert "no agent 'reviewr'. This key may use: reviewer." in str(unknown.value)
    assert "secret-agent" not in str(unknown.value)

    with pytest.raises(Denied) as denied:
        submit(atlas, replace(task(), tools=("Read", "Bash"), agents=("secret-agent",), max_turns=1000))
    assert [reason.ref for reason in denied.value.refusal.reasons] == ["tool:Bash", "agent:secret-agent", "max_turns"]
    assert not Job.objects.exists()
    assert not Session.objects.exists()


@both_databases
def test_what_a_task_did_is_told_kept_and_on_record(atlas: ApiKey, worker: Worker) -> None:
    job = submit(atlas, task(tools=["Read", "Read"], denied="Bash", structured={"a": 1}))

    events = followed(job)

    assert [event.type for event in events] == [
        *("started", "tool_use", "tool_result", "tool_use", "tool_result"),
        *("tool_use", "denied", "tool_result", "done"),
    ]
    done = events[-1].data
    assert (done["kind"], done["num_turns"], done["tools_used"]) == ("task", 3, ["Read"])
    assert done["structured_output"] == {"a": 1}
    assert done["cost_attribution"] == {"agent:reviewer": 21 / 1_000_000}
    assert done["permission_denials"] == [
        {"tool": "Bash", "tool_use_id": "call_denied", "input": {"command": "id"}, "reason": "It was not granted."}
    ]
    assert Job.objects.get(pk=job.pk).cost_microusd == 5 * MICROUSD_PER_TOKEN
    rows = AuditEvent.objects.filter(actor=f"job:{job.pk}").order_by("at", "id")
    assert sorted((row.action, row.outcome, row.data["tool"]) for row in rows) == [
        ("tool.denied", "refused", "Bash"),
        ("tool.used", "ok", "Read"),
        ("tool.used", "ok", "Read"),
    ]
    assert "secret.txt" not in str([row.data for row in rows])


def test_a_task_can_be_cancelled(atlas: ApiKey, worker: Worker, engine: FakeEngine) -> None:
    job = submit(atlas, task(hang=True))
    worker.ring()

    assert services.cancel(job=job, now=timezone.now())

    assert followed(job)[-1].data["status"] == "cancelled"


@both_databases
def test_a_session_is_made_continued_and_torn_by_nobody(
    atlas: ApiKey, borealis: ApiKey, request: pytest.FixtureRequest
) -> None:
    first = submit(atlas, task())
    with pytest.raises(SessionBusy):
        submit(atlas, replace(task(), session_id=first.session_id))
    request.getfixturevalue("worker")
    followed(first)

    second = submit(atlas, replace(task(), session_id=first.session_id))

    assert followed(second)[-1].data["session_id"] == first.session_id
    assert Session.objects.get().last_job_id == second.pk
    for key, session_id in ((borealis, first.session_id), (atlas, "session_unknown")):
        with pytest.raises(SessionNotFound):
            submit(key, replace(task(), session_id=session_id))


def test_a_task_survives_its_row() -> None:
    request = replace(
        task(),
        tools=None,
        agents=("a",),
        agent_models=("claude-haiku-5-5",),
        files=(File(name="f", content=b"\0\xff"),),
        output_schema={"type": "object"},
        webhook_url="https://hooks.example.org",
        metadata={"k": "v"},
        max_seconds=2.5,
    )
    assert TaskRequest.from_json(request.to_json()) == request
