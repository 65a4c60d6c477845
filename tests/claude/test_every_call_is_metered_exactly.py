from typing import Any

import pytest

from apps.claude import pricing
from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Text, Usage
from tests.claude.conftest import ask, begin, spec


def test_usage_is_the_models_own_also_for_the_twelfth_request_of_a_process(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    for n in range(12):
        outcome = ask(engine, f"[[tokens: {7 * n + 1}]] {marker} {'word ' * n}", project="meter")
        (entry,) = list(model.journal.entries(f'{marker} {"word " * n}"'))[-1:]
        assert outcome.usage == _usage(entry["usage"])
        assert outcome.usage.output_tokens == 7 * n + 1
        assert not outcome.estimated
        assert outcome.cost_microusd == pricing.cost_microusd(spec("x").model, outcome.usage)
        assert outcome.cli_cost_microusd is not None
        assert abs(outcome.cli_cost_microusd - outcome.cost_microusd) <= 1


def test_the_four_kinds_and_both_cache_lifetimes_are_kept_apart(engine: Engine) -> None:
    usage = (
        '{"input_tokens": 11, "output_tokens": 13, "cache_read_input_tokens": 17, "cache_creation_input_tokens": 42,'
        ' "cache_creation": {"ephemeral_5m_input_tokens": 19, "ephemeral_1h_input_tokens": 23}}'
    )
    outcome = ask(engine, f"[[usage: {usage}]] hello")
    assert outcome.usage == Usage(11, 13, 17, 19, 23)


def test_a_cut_answer_is_billed_by_what_was_streamed_and_marked_estimated(engine: Engine) -> None:
    outcome = ask(engine, "[[tokens: 200]] [[cut: 40]] hello")
    assert (outcome.status, outcome.error_code) == ("failed", "upstream_error")
    assert outcome.estimated
    assert outcome.usage.prompt_tokens > 0
    assert 25 <= outcome.usage.output_tokens <= 60


def test_a_cancelled_answer_is_billed_once_and_marked_estimated(engine: Engine) -> None:
    run = spec("[[tokens: 400]] [[rate: 40]] hello")
    asked = begin(engine, run, lambda event: isinstance(event, Text) and engine.cancel(run.job_id))  # type: ignore[arg-type]
    outcome = asked.done()
    assert outcome.status == "cancelled"
    assert len(outcome.calls) == 1
    assert outcome.estimated
    assert 0 < outcome.usage.output_tokens < 100
    assert outcome.cost_microusd > 0


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
def test_a_call_that_the_upstream_refused_costs_nothing(engine: Engine, status: int) -> None:
    outcome = ask(engine, f"[[fail: {status}]] hello")
    assert outcome.status == "failed"
    assert outcome.cost_microusd == 0
    assert not outcome.estimated


def test_a_call_is_on_record_before_its_answer_is_complete(engine: Engine) -> None:
    """What a killed worker would be billed for: the same call, growing."""
    asked = begin(engine, spec("[[tokens: 60]] [[rate: 50]] hello"))
    outcome = asked.done()
    records = [metered.call for metered in asked.checkpoints]
    assert {call.id for call in records} == {outcome.calls[0].id}
    assert records[0].estimated
    assert records[0].usage.input_tokens > 0
    outputs = [call.usage.output_tokens for call in records]
    assert outputs == sorted(outputs)
    assert 0 < outputs[-1] <= outcome.usage.output_tokens


def test_a_model_without_a_price_is_flagged_and_not_guessed() -> None:
    assert pricing.cost_microusd("claude-unheard-of-9", Usage(1, 1)) is None


def _usage(raw: Any) -> Usage:
    split = raw.get("cache_creation") or {}
    return Usage(
        raw["input_tokens"],
        raw["output_tokens"],
        raw.get("cache_read_input_tokens", 0),
        split.get("ephemeral_5m_input_tokens", 0),
        split.get("ephemeral_1h_input_tokens", 0),
    )
