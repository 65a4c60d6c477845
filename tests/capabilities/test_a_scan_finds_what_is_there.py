import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.capabilities import services
from apps.capabilities.models import Capability
from apps.capabilities.services import Scan
from tests.capabilities.conftest import agent, skill

pytestmark = pytest.mark.django_db


def scan() -> Scan:
    return services.scan(actor="system", now=timezone.now())


def names() -> list[str]:
    return sorted(str(row) for row in Capability.objects.usable())


def test_agents_and_skills_of_the_home_are_found_with_their_facts(home: Path) -> None:
    agent(home, "reviewer", tools="Read, Grep", model="haiku")
    folder = skill(home, "pdf").parent
    (folder / "scripts").mkdir()
    (folder / "scripts" / "fill.py").write_text("print()")

    assert str(scan()).startswith("2 agents and skills: 2 new")

    row, pdf = Capability.objects.order_by("kind")
    assert (row.name, row.tools, row.model, row.source) == ("reviewer", ["Read", "Grep"], "haiku", "user")
    assert row.body.strip() == "You review code."
    assert (pdf.name, pdf.body, Path(pdf.path)) == ("pdf", "", folder / "SKILL.md")
    assert pdf.size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert len(row.digest) == len(pdf.digest) == 64


def test_installed_plugins_bring_theirs_under_their_name_unless_switched_off(home: Path) -> None:
    lists = {}
    for name in ("tools", "off"):
        where = home / "plugins" / "cache" / "market" / name / "1.0"
        agent(where, "helper")
        skill(where, "pdf")
        # As a list looks that was written where the home was elsewhere.
        lists[f"{name}@market"] = [{"installPath": f"/elsewhere/.claude/plugins/cache/market/{name}/1.0"}]
    (home / "plugins" / "installed_plugins.json").write_text(json.dumps({"version": 2, "plugins": lists}))
    (home / "settings.json").write_text(json.dumps({"enabledPlugins": {"off@market": False}}))

    scan()

    assert names() == ["agent:tools:helper", "skill:tools:pdf"]


def test_an_operators_folder_comes_before_the_home(home: Path, tmp_path: Path, settings: Settings) -> None:
    settings.CAPABILITY_DIRS = (tmp_path / "shared",)
    mine, theirs = agent(home, "reviewer"), agent(tmp_path / "shared", "reviewer")

    scan()

    assert Capability.objects.usable().get().path == str(theirs)
    assert "comes first" in Capability.objects.get(path=str(mine)).fault

    theirs.unlink()
    scan()
    assert Capability.objects.usable().get().path == str(mine)


def test_malformed_files_are_listed_with_their_fault_and_harm_no_other(home: Path) -> None:
    agent(home, "good")
    (home / "agents" / "bad.md").write_text("just text")
    (home / "agents" / "binary.md").write_bytes(b"---\nname: \xff\n---\nx")
    (home / "agents" / "huge.md").write_bytes(b"x" * (2 << 20))
    (home / "agents" / "gone.md").symlink_to(home / "nowhere")

    result = scan()

    assert names() == ["agent:good"]
    assert set(result.faulty) == {"agent:bad", "agent:binary", "agent:huge"}
    faults = {row.name: row.fault for row in Capability.objects.exclude(fault="")}
    assert "front matter" in faults["bad"]
    assert "UTF-8" in faults["binary"]
    assert "larger" in faults["huge"]


def test_a_home_that_is_not_there_holds_nothing(settings: Settings, tmp_path: Path) -> None:
    settings.CLAUDE_HOME = tmp_path / "nowhere"
    assert scan().present == 0


def test_what_disappears_is_marked_and_comes_back(home: Path) -> None:
    path = agent(home, "reviewer")
    text = path.read_text()
    scan()
    path.unlink()

    assert scan().lost == ("agent:reviewer",)
    assert names() == []
    assert Capability.objects.get().missing_since

    path.write_text(text)
    scan()
    assert names() == ["agent:reviewer"]


def test_only_what_has_changed_is_read_again(home: Path) -> None:
    for number in range(5):
        skill(home, f"s{number}")
    scan()
    assert scan().read == 0

    _later(skill(home, "s3", body="New text."))

    result = scan()
    assert (result.read, result.changed) == (1, ("skill:s3",))


def test_a_look_that_finds_nothing_new_touches_no_database(home: Path) -> None:
    path = agent(home, "reviewer")
    scan()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert services.scan_if_changed(now=timezone.now()) is None
    assert not queries.captured_queries

    _later(path)
    assert services.scan_if_changed(now=timezone.now())


def test_trust_ends_when_any_file_of_the_skill_changes(home: Path) -> None:
    folder = skill(home, "deploy", body="Look: !`git status`").parent
    (folder / "run.sh").write_text("true")
    scan()
    row = Capability.objects.get()
    assert row.runs_commands
    assert services.set_trusted(capability=row, trusted=True, actor="user:petra", now=timezone.now())
    [trusted] = services.skills(names=["deploy"])
    assert trusted.trusted

    (folder / "run.sh").write_text("rm -rf .")
    scan()

    [changed] = services.skills(names=["deploy"])
    assert not changed.trusted


def test_trust_is_given_to_what_was_seen_only(home: Path) -> None:
    skill(home, "deploy")
    scan()
    seen = Capability.objects.get()
    _later(skill(home, "deploy", body="Something else."))
    scan()

    assert not services.set_trusted(capability=seen, trusted=True, actor="user:petra", now=timezone.now())


def test_a_scan_that_changed_something_is_on_record_once(home: Path) -> None:
    agent(home, "reviewer")
    scan()
    scan()

    [event] = AuditEvent.objects.filter(action="capabilities.scanned")
    assert event.data["found"] == {"count": 1, "names": ["agent:reviewer"]}


def test_an_agent_gets_no_tool_that_its_task_lacks_and_starts_no_agents(home: Path) -> None:
    agent(home, "reader", tools="Read, Bash, Task")
    agent(home, "anything")
    scan()

    anything, reader = services.agents(names=["reader", "anything", "unknown"], tools=["Read", "Write", "Agent"])

    assert (reader.tools, anything.tools) == (("Read",), ("Read", "Write"))
    assert reader.prompt.strip() == "You review code."


def test_what_is_switched_off_is_given_to_no_task(home: Path) -> None:
    agent(home, "reader")
    skill(home, "pdf")
    scan()
    for row in Capability.objects.all():
        assert services.set_enabled(capability=row, enabled=False, actor="user:petra", now=timezone.now())

    assert services.agents(names=["reader"], tools=[]) == []
    assert services.skills(names=["pdf"]) == []
    assert AuditEvent.objects.filter(action="capability.disabled", actor="user:petra").count() == 2


def _later(path: Path) -> None:
    """As if it had been written a minute from now: clocks of file systems are coarse."""
    stat = path.stat()
    minute = int(timedelta(minutes=1).total_seconds() * 1e9)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + minute))
