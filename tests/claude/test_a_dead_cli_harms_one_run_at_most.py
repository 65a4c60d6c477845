import contextlib
import os
import signal
import time

import psutil

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Text
from tests.claude.conftest import ask, begin, running_engine, spec


def test_a_cli_killed_in_mid_answer_ends_the_run_once_and_bills_it(engine: Engine) -> None:
    killed: list[int] = []

    def kill(event: object) -> None:
        if isinstance(event, Text) and not killed:
            killed.extend(_busy_clis(engine))
            for pid in killed:
                with contextlib.suppress(ProcessLookupError):  # a jail's first process takes the others with it
                    os.kill(pid, signal.SIGKILL)

    asked = begin(engine, spec("[[tokens: 400]] [[rate: 40]] hello"), kill)
    outcome = asked.done()
    assert killed
    assert (outcome.status, outcome.error_code) == ("failed", "cli_error")
    assert outcome.estimated
    assert outcome.cost_microusd > 0
    assert ask(engine, "still there?").status == "completed"


def test_a_cli_that_died_while_idle_is_replaced_unseen(model: ScriptedModel) -> None:
    with running_engine(model) as engine:
        assert ask(engine, "hello").status == "completed"
        for pid in _busy_clis(engine):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        outcome = ask(engine, "hello again")
    assert outcome.status == "completed"
    assert len(outcome.calls) == 1


def test_a_stopped_cli_does_not_outlive_its_deadline(model: ScriptedModel) -> None:
    with running_engine(model) as engine:
        assert ask(engine, "hello").status == "completed"
        pids = _busy_clis(engine)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        outcome = ask(engine, "hello again", wall_seconds=1.0)
        assert outcome.error_code == "timeout"
        assert time.monotonic() - began < 50
        _gone(pids, within=60)


def test_nothing_survives_the_engine(model: ScriptedModel) -> None:
    with running_engine(model) as engine:
        asked = [begin(engine, spec(f"[[tokens: 500]] [[rate: 20]] {n}")) for n in range(2)]
        while not all(one.text for one in asked):
            time.sleep(0.01)
        pids = _busy_clis(engine)
        assert pids
        engine.stop(0)
        assert {one.done().status for one in asked} == {"cancelled"}
    _gone(pids, within=10)


def _busy_clis(engine: Engine) -> list[int]:
    """The pids of all processes of the engine's CLIs, seen from outside their jails."""

    assert engine._pool is not None
    found = []
    for pid in [live.cli.pid for live in engine._pool.processes()]:
        found += [child.pid for child in psutil.Process(pid).children(recursive=True)] or [pid]
    return found


def _gone(pids: list[int], within: float) -> None:
    deadline = time.monotonic() + within
    while alive := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)
