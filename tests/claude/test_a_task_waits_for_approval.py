import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from apps.claude.engine import Engine
from apps.claude.spec import ApprovalAsked, ApprovalDecided, Event
from tests.claude.tasks import Done, bash, do, task

PROMPT = (bash("echo one"), bash("echo two"), "[[say: done]]")


def run(engine: Engine, decisions: list[str], **changes: Any) -> tuple[Done, list[bool]]:
    """A task whose every Bash call is asked for; the n-th question gets the n-th decision."""
    spec = task(*PROMPT, ask_tools=("Bash",), **changes)
    heard: list[bool] = []
    left = iter(decisions)

    def answer(event: Event) -> None:
        if isinstance(event, ApprovalAsked) and (decision := next(left, None)):
            heard.append(engine.decide(spec.job_id, event.id, decision, "alice"))  # type: ignore[arg-type]

    return do(engine, spec, answer), heard


def decisions(done: Done) -> list[tuple[str, str]]:
    return [(event.decision, event.by) for event in done.events if isinstance(event, ApprovalDecided)]


def asked(done: Done) -> list[ApprovalAsked]:
    return [event for event in done.events if isinstance(event, ApprovalAsked)]


def test_once_lets_one_call_run_and_asks_again(engine: Engine) -> None:
    done, heard = run(engine, ["once", "once"])
    assert heard == [True, True]
    assert [question.input for question in asked(done)] == [{"command": "echo one"}, {"command": "echo two"}]
    assert {question.id for question in asked(done)} == {used.id for used in done.calls}
    assert decisions(done) == [("once", "alice")] * 2
    assert [result.content for result in done.results] == ["one", "two"]


def test_for_this_job_is_asked_only_once(engine: Engine) -> None:
    done, _ = run(engine, ["job"])
    assert len(asked(done)) == 1
    assert [result.content for result in done.results] == ["one", "two"]


def test_what_is_denied_does_not_run(engine: Engine) -> None:
    done, _ = run(engine, ["deny", "once"])
    assert [result.is_error for result in done.results] == [True, False]
    assert "denied by a person" in done.results[0].content
    assert [(denied.name, denied.input) for denied in done.outcome.denials] == [("Bash", {"command": "echo one"})]
    assert done.outcome.status == "completed"


def test_nobody_deciding_is_a_no(engine: Engine) -> None:
    done, _ = run(engine, [], approval_seconds=0.2)
    assert decisions(done) == [("deny", "expiry")] * 2
    assert all(result.is_error for result in done.results)


@pytest.mark.parametrize("decide", [lambda engine, job, call: engine.decide(job, "toolu_other", "once", "bob")])
def test_a_decision_about_nothing_is_told_so(engine: Engine, decide: Callable[[Engine, str, str], bool]) -> None:
    assert not engine.decide("no-such-job", "no-such-call", "once", "bob")
    spec = task(*PROMPT, ask_tools=("Bash",), approval_seconds=0.2)
    heard: list[bool] = []
    do(engine, spec, lambda event: isinstance(event, ApprovalAsked) and heard.append(decide(engine, spec.job_id, "")))  # type: ignore[func-returns-value, arg-type]
    assert heard == [False, False]


def test_a_cancelled_task_waits_for_nobody(engine: Engine) -> None:
    spec = task(*PROMPT, ask_tools=("Bash",))
    done = do(engine, spec, lambda event: isinstance(event, ApprovalAsked) and engine.cancel(spec.job_id))  # type: ignore[arg-type]
    assert done.outcome.status == "cancelled"
    assert not engine.decide(spec.job_id, asked(done)[0].id, "once", "late")


WALL_SECONDS = 8.0


def test_the_clock_stands_while_a_person_is_waited_for_and_silence_is_a_no(engine: Engine) -> None:
    began = time.monotonic()
    done, _ = run(engine, [], wall_seconds=WALL_SECONDS, approval_seconds=WALL_SECONDS / 2 + 0.5)
    assert time.monotonic() - began > WALL_SECONDS, "longer than it may run by itself"
    assert decisions(done) == [("deny", "expiry")] * 2
    assert done.outcome.status == "completed", done.outcome


def test_the_clock_goes_on_once_somebody_has_decided(engine: Engine) -> None:
    spec = task(bash("sleep 98654"), ask_tools=("Bash",), wall_seconds=5.0)

    def allow(event: Event) -> None:
        if isinstance(event, ApprovalAsked):
            engine.decide(spec.job_id, event.id, "once", "alice")

    outcome = do(engine, spec, allow).outcome
    assert (outcome.status, outcome.error_code) == ("failed", "timeout")


def test_calls_that_wait_side_by_side_stop_the_clock_once(engine: Engine) -> None:
    twice = [{"name": "Bash", "input": {"command": f"echo {word}"}} for word in ("one", "two")]
    spec = task(f"[[tools: {json.dumps(twice)}]]", ask_tools=("Bash",), approval_seconds=3.0)
    stood: list[float] = []

    def look(event: Event) -> None:
        if isinstance(event, ApprovalDecided):
            stood.append(engine._runs[spec.job_id].approvals.waited_seconds)  # type: ignore[union-attr]

    done = do(engine, spec, look)
    assert decisions(done) == [("deny", "expiry")] * 2
    assert stood[-1] < 5.9
