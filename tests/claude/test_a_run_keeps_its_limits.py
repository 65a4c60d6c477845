import time

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Text
from tests.claude.conftest import ask, begin, requests, spec


def test_max_tokens_and_stop_reach_the_model(engine: Engine, model: ScriptedModel, marker: str) -> None:
    outcome = ask(engine, f"[[tokens: 50]] {marker}", max_tokens=10, stop=("zzz",))
    assert (outcome.status, outcome.stop_reason) == ("completed", "max_tokens")
    assert outcome.usage.output_tokens == 10
    (body,) = requests(model, marker)
    assert body["max_tokens"] == 10
    assert body["stop_sequences"] == ["zzz"]


def test_a_stop_sequence_ends_the_answer_and_is_told(engine: Engine) -> None:
    outcome = ask(engine, "[[say: one two STOP three]]", stop=("STOP",))
    assert (outcome.stop_reason, outcome.stop_sequence) == ("stop_sequence", "STOP")
    assert outcome.text == "one two "


def test_sampling_is_honoured_where_the_model_takes_it(engine: Engine, model: ScriptedModel, marker: str) -> None:
    assert ask(engine, marker, model="claude-haiku-4-5", temperature=0.2, top_p=0.9).status == "completed"
    (body,) = requests(model, marker)
    assert (body["model"], body["temperature"], body["top_p"]) == ("claude-haiku-4-5", 0.2, 0.9)
    assert "thinking" not in body


@pytest.mark.parametrize("name", ["claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-6", "claude-sonnet-5-5"])
def test_a_live_process_changes_its_model(engine: Engine, model: ScriptedModel, marker: str, name: str) -> None:
    assert ask(engine, f"hello {marker}", model=name).status == "completed"
    (body,) = requests(model, marker)
    assert body["model"] == name


def test_an_answer_stops_inside_the_cap(engine: Engine) -> None:
    """$0.001 of Sonnet carries fewer than a hundred tokens of output; the model wants to give 5,000."""
    outcome = ask(engine, "[[tokens: 5000]] hello", cap_microusd=1_000)
    assert (outcome.status, outcome.error_code, outcome.upstream_status) == ("failed", "cost_limit", 402)
    assert 0 < outcome.cost_microusd <= 1_000
    assert outcome.usage.output_tokens > 10, "the cap is used, not only kept"


def test_a_prompt_dearer_than_the_cap_never_leaves(engine: Engine, model: ScriptedModel, marker: str) -> None:
    outcome = ask(engine, f"{marker} " + "word " * 4_000, cap_microusd=1_000)
    assert (outcome.error_code, outcome.cost_microusd, outcome.calls) == ("cost_limit", 0, ())
    assert [entry["path"] for entry in model.journal.entries(marker)] == ["/v1/messages/count_tokens?beta=true"]


def test_a_silent_model_runs_into_the_idle_limit(engine: Engine) -> None:
    began = time.monotonic()
    outcome = ask(engine, "[[tokens: 50]] [[hang: 3]] hello", idle_seconds=2.0)
    assert (outcome.status, outcome.error_code) == ("failed", "timeout")
    assert outcome.text
    assert time.monotonic() - began < 50


def test_a_model_that_never_begins_runs_into_the_idle_limit(engine: Engine) -> None:
    assert ask(engine, "[[delay: 30]] hello", idle_seconds=0.6).error_code == "timeout"


def test_a_slow_answer_runs_into_the_wall_limit(engine: Engine) -> None:
    outcome = ask(engine, "[[tokens: 500]] [[rate: 20]] hello", wall_seconds=3.0)
    assert outcome.error_code == "timeout"
    assert outcome.cost_microusd > 0


def test_a_cancelled_run_stops_the_upstream_at_once(engine: Engine, model: ScriptedModel, marker: str) -> None:
    run = spec(f"[[tokens: 2000]] [[rate: 20]] {marker}")
    asked = begin(engine, run, lambda event: isinstance(event, Text) and engine.cancel(run.job_id))  # type: ignore[arg-type]
    assert asked.done().error_code == "cancelled"
    deadline = time.monotonic() + 60
    while not next(model.journal.entries(marker))["disconnected"]:
        assert time.monotonic() < deadline, "the upstream still streams"
    assert engine.cancel(run.job_id) is False, "a run that is over cannot be cancelled"
