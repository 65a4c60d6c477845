"""What the CLI says it was started with is compared with the grant before its first request may leave.

Every surplus here is real: the CLI is started without one of the flags that keep it small, beside files that are
planted in its workspace.
"""

from collections.abc import Callable, Iterator

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.tasks import gate, launch
from apps.claude.tasks.launch import Shape
from apps.claude.taskspec import File
from tests.claude.conftest import ask, requests, running_engine
from tests.claude.tasks import bash, do, processes, survivors, task

PLANTED = tuple(
    File(name=name, content=text.encode())
    for name, text in {
        ".claude/agents/planted.md": "---\nname: planted-agent\ndescription: planted\n---\nPLANTED-AGENT\n",
        ".claude/skills/planted-skill/SKILL.md": "---\nname: planted-skill\ndescription: planted\n---\nx\n",
        ".claude/commands/planted-command.md": "planted\n",
        ".mcp.json": '{"mcpServers": {"planted-server": {"command": "sleep", "args": ["60"]}}}',
        ".claude/settings.json": '{"enableAllProjectMcpServers": true}',
    }.items()
)
FILES = ("--restricted", "--setting-sources", "--strict-mcp-config")
VALUED = ("--tools", "--setting-sources", "--permission-mode", "--permission-prompts")
SURPLUS = {
    "tools": (("--tools",), ["tool Write", "tool Agent", "tool WebSearch"]),
    "an agent": (FILES, ["agent planted-agent"]),
    "a skill": (FILES, ["skill planted-skill"]),
    "a command": (FILES, ["command planted-command"]),
    "an MCP server": (FILES, ["MCP server planted-server"]),
    "a permission mode": (("--permission-mode", "--permission-prompts"), ["permission mode default"]),
}
"""What of it, the flags that are left out, and what has to be named."""


@pytest.fixture(scope="module")
def fresh(model: ScriptedModel) -> Iterator[Engine]:
    """An engine without prepared jails, so that each task is started with the flags of its test."""
    with running_engine(model, task_spares=0) as engine:
        yield engine


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], None]:
    """Have tasks started without these flags."""
    whole = launch._arguments

    def without(flags: tuple[str, ...]) -> None:
        def arguments(shape: Shape) -> tuple[str, ...]:
            kept, left = [], list(whole(shape))
            while left:
                flag = left.pop(0)
                if flag in flags:
                    del left[: flag in VALUED]
                else:
                    kept.append(flag)
            return tuple(kept)

        monkeypatch.setattr(launch, "_arguments", arguments)

    return without


@pytest.mark.parametrize("what", SURPLUS)
def test_it_is_ended_before_its_first_request(
    fresh: Engine, model: ScriptedModel, naive: Callable[[tuple[str, ...]], None], marker: str, what: str
) -> None:
    flags, named = SURPLUS[what]
    naive(flags)
    spec = task(bash("touch /workspace/ran"), marker, tools=("Bash",), files=PLANTED)
    seen: set[int] = set()

    done = do(fresh, spec, lambda _: seen.update(processes(fresh, spec)))

    assert (done.outcome.status, done.outcome.error_code) == ("failed", "cli_unfit"), done.outcome
    assert all(name in str(done.outcome.error_message) for name in named), done.outcome.error_message
    assert requests(model, marker) == []
    assert (done.outcome.calls, done.calls) == ((), [])
    assert len(seen) >= 3
    assert survivors(seen) == []


def test_without_the_comparison_what_is_planted_is_told_to_the_model(
    fresh: Engine,
    model: ScriptedModel,
    naive: Callable[[tuple[str, ...]], None],
    marker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naive(FILES)
    monkeypatch.setattr(gate, "surplus", lambda *_: ())
    do(fresh, task(marker, tools=("Agent",), files=PLANTED))
    assert "planted-agent" in str(requests(model, marker)[0])


def test_another_version_than_was_proven_is_refused(fresh: Engine, model: ScriptedModel, marker: str) -> None:
    assert fresh._seats is not None
    proven, fresh._seats.cli_version = fresh._seats.cli_version, "2.1.329"
    try:
        outcome = do(fresh, task(marker)).outcome
    finally:
        fresh._seats.cli_version = proven
    assert (outcome.status, outcome.error_code) == ("failed", "cli_unfit")
    assert f"version {proven} instead of 2.1.329" in str(outcome.error_message)
    assert requests(model, marker) == []


def test_a_worker_whose_cli_is_not_the_tested_one_takes_no_task_and_says_why(model: ScriptedModel) -> None:
    with running_engine(model, tested_version="2.1.329") as engine:
        outcome = do(engine, task("hello")).outcome
        assert (outcome.status, outcome.error_code) == ("failed", "jail_unavailable")
        assert "CLAUDE_CLI_VERSION" in str(outcome.error_message)
        assert "2.1.329" in str(engine.status()["tasks_fault"])
        assert ask(engine, "hello").status == "completed"
