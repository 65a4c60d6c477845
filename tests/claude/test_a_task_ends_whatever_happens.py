"""However a task ends: once, in time, billed, and nothing that it started is left."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.claude import jail
from apps.claude.engine import Engine
from apps.claude.launch import Launch
from apps.claude.process import CliProcess
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Event, Text, ToolUse
from apps.claude.taskspec import File, TaskSpec
from tests.claude.conftest import ask, eventually, running_engine
from tests.claude.tasks import Done, bash, call, do, processes, survivors, task

LONG = f"sleep 9{os.getpid():07}"  # nobody else on this machine sleeps just as long
DAEMON = bash(f"setsid nohup {LONG}3 >/dev/null 2>&1 & (trap '' TERM; exec {LONG}4) & echo started")


def ended_by(engine: Engine, spec: TaskSpec, when: Callable[[Event], bool], deed: Callable[[list[int]], None]) -> Done:
    """Run a task, do something to it at a moment, and see that nothing of it is alive when it is over."""
    pids: list[int] = []
    at: list[float] = []

    def on_event(event: Event) -> None:
        if when(event) and not at:
            pids.extend(processes(engine, spec))
            at.append(time.monotonic())
            deed(pids)

    done = do(engine, spec, on_event)
    assert at, "the moment never came"
    assert len(pids) >= 3
    assert survivors(pids) == []
    return done


def sleepers() -> list[int]:
    found = psutil.process_iter(["cmdline"])
    return [process.pid for process in found if LONG in " ".join(process.info["cmdline"] or ())]


def is_text(event: Event) -> bool:
    return isinstance(event, Text)


def is_call(event: Event) -> bool:
    return isinstance(event, ToolUse)


SITUATIONS: dict[str, tuple[tuple[str, ...], Callable[[Event], bool]]] = {
    "text": ((DAEMON, "[[tokens: 4000]] [[rate: 40]]"), is_text),
    "tool": ((DAEMON, bash(LONG)), lambda event: is_call(event) and event.input["command"] == LONG),  # type: ignore[union-attr, index]
    "hang": ((DAEMON, "[[say: so it begins]] [[hang: 2]]"), is_text),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_cancelled_task_leaves_nothing_alive(engine: Engine, situation: str) -> None:
    words, when = SITUATIONS[situation]
    spec = task(*words)
    done = ended_by(engine, spec, when, lambda _: bool(engine.cancel(spec.job_id)))  # type: ignore[arg-type]
    assert (done.outcome.status, done.outcome.error_code) == ("cancelled", "cancelled")
    assert done.outcome.cost_microusd > 0
    assert sleepers() == []


def test_what_a_stopped_task_started_is_asked_to_end_before_it_is_killed(engine: Engine, tmp_path: Path) -> None:
    polite = f"trap 'echo asked > /workspace/asked; exit' TERM; echo > /workspace/ready; {LONG}5 & wait"
    wait = "setsid sh polite.sh >/dev/null 2>&1 & until [ -e ready ]; do sleep 0.05; done"
    files = (File(name="polite.sh", content=polite.encode()),)
    spec = task(bash(wait), "[[tokens: 4000]] [[rate: 40]]", files=files, artifacts_dir=tmp_path)
    done = ended_by(engine, spec, is_text, lambda _: bool(engine.cancel(spec.job_id)))  # type: ignore[arg-type]
    assert done.outcome.status == "cancelled"
    assert "asked" in {artifact.name for artifact in done.outcome.artifacts}
    assert sleepers() == []


def test_a_stopped_cli_is_ended_all_the_same(engine: Engine) -> None:
    spec = task(DAEMON, "[[tokens: 4000]] [[rate: 40]]")

    def stop(pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        engine.cancel(spec.job_id)

    began = time.monotonic()
    done = ended_by(engine, spec, is_text, stop)
    assert done.outcome.status == "cancelled"
    assert time.monotonic() - began < 60
    assert sleepers() == []


@pytest.mark.parametrize(
    ("words", "limits"),
    [
        (("[[hang: 0]]",), {"idle_seconds": 2.0}),
        ((bash(LONG),), {"wall_seconds": 5.0}),
        (("[[tokens: 4000]] [[rate: 40]]",), {"wall_seconds": 5.0}),
    ],
)
def test_time_runs_out(engine: Engine, words: tuple[str, ...], limits: dict[str, Any]) -> None:
    outcome = do(engine, task(DAEMON, *words, **limits)).outcome
    assert (outcome.status, outcome.error_code) == ("failed", "timeout")
    assert outcome.cost_microusd > 0
    assert sleepers() == []


def test_a_tool_that_works_in_silence_is_not_idle(engine: Engine) -> None:
    assert do(engine, task(bash("sleep 4; echo slow"), idle_seconds=2.5)).outcome.status == "completed"


def test_a_daemon_does_not_outlive_its_task(engine: Engine) -> None:
    done = do(engine, task(DAEMON, "[[say: done]]"))
    assert done.result_of(0).content == "started"
    assert done.outcome.status == "completed"
    assert sleepers() == []


def test_a_killed_cli_fails_its_task_and_what_it_used_is_billed(engine: Engine) -> None:
    spec = task(DAEMON, "[[tokens: 4000]] [[rate: 40]]")

    def kill(pids: list[int]) -> None:
        os.kill(pids[-1], signal.SIGKILL)
        for pid in pids[1:]:
            os.kill(pid, signal.SIGKILL) if psutil.pid_exists(pid) else None

    done = ended_by(engine, spec, is_text, kill)
    assert (done.outcome.status, done.outcome.error_code) == ("failed", "cli_error")
    assert done.outcome.estimated
    assert done.outcome.cost_microusd > 0


def test_an_engine_that_stops_leaves_no_reader_of_a_process_behind(model: ScriptedModel) -> None:
    with running_engine(model, task_spares=1) as engine:
        nobodys = Launch(("sleep", "60"), {"PATH": os.environ["PATH"]}, Path("/"), None, None)
        cli = asyncio.run_coroutine_threadsafe(CliProcess.spawn(nobodys), engine.loop).result(60)
        assert len([each for each in asyncio.all_tasks(engine.loop) if "CliProcess" in repr(each)]) >= 2
        engine.stop(0)
        assert [each for each in asyncio.all_tasks(engine.loop) if not each.done()] == []
        engine.loop.run_until_complete(cli.aclose())


def test_tasks_end_with_their_engine(model: ScriptedModel) -> None:
    spec = task(DAEMON, "[[tokens: 4000]] [[rate: 40]]")
    with running_engine(model) as engine:
        pids: list[int] = []

        async def emit(event: Event) -> None:
            if is_text(event) and not pids:
                pids.extend(processes(engine, spec))

        future = asyncio.run_coroutine_threadsafe(engine.run(spec, emit), engine.loop)
        eventually(lambda: bool(pids))
        engine.stop(0)
        assert future.result(60).status == "cancelled"
        assert survivors(pids) == []
    assert sleepers() == []


def test_without_a_jail_tasks_are_refused_with_the_reason_and_chat_goes_on(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jail, "find_bwrap", lambda: None)
    with running_engine(model) as engine:
        outcome = do(engine, task(bash("true"))).outcome
        assert (outcome.status, outcome.error_code) == ("failed", "jail_unavailable")
        assert "bubblewrap (bwrap) is not installed" in str(outcome.error_message)
        assert engine.status()["tasks_fault"] == "bubblewrap (bwrap) is not installed"
        assert ask(engine, "hello").status == "completed"


def test_an_upstream_that_fails_is_told_as_it_is(engine: Engine) -> None:
    refused = do(engine, task('[[fail: 400 message="no such thing"]]')).outcome
    assert (refused.status, refused.error_code, refused.upstream_status) == ("failed", "invalid_request", 400)
    assert "no such thing" in str(refused.error_message)
    overloaded = do(engine, task("[[fail: 529 times=1]] [[say: at last]]")).outcome
    assert (overloaded.status, overloaded.text) == ("completed", "at last")


def test_an_unknown_tool_is_no_way_to_write_a_rule(engine: Engine) -> None:
    for name in ("Read Bash", "*", "Bash(*)", "Bash,Write", "--dangerously-skip-permissions", ""):
        outcome = do(engine, task(call("Bash", command="id"), tools=(name,))).outcome
        assert (outcome.status, outcome.error_code, outcome.calls) == ("failed", "invalid_request", ()), name


@pytest.mark.parametrize(
    ("flag", "wall"),
    [("--unshare-net", "network"), ("--disable-userns", "user namespaces"), ("--unshare-pid", "could not be tried")],
)
def test_a_worker_whose_wall_fails_takes_no_task_and_says_which(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch, flag: str, wall: str
) -> None:
    whole = jail.Jail.arguments

    def without(self: jail.Jail, **options: Any) -> list[str]:
        return [argument for argument in whole(self, **options) if argument != flag]

    with running_engine(model) as engine:
        monkeypatch.setattr(jail.Jail, "arguments", without)
        outcome = do(engine, task(bash("true"))).outcome
        assert (outcome.status, outcome.error_code) == ("failed", "jail_unavailable")
        assert wall in str(engine.status()["tasks_fault"])
