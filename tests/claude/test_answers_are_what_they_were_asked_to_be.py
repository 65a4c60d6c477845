"""Structured output and promised calls: constrained upstream, judged here, asked once more, or a clear error."""

import json
from typing import Any

import pytest

from apps.claude.engine import Engine
from apps.claude.options import ANY_OBJECT, STRUCTURED_OUTPUTS
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Outcome, Text, ToolUse
from tests.claude.conftest import ask, begin, requests, spec

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "additionalProperties": {"type": "integer"}}
TOOL = {"name": "find", "input_schema": CITY}
FORCED = {"type": "tool", "name": "find"}
RIGHT, WRONG = '[[json: {"city": "Łódź", "people": 5}]]', '[[json: {"city": "Łódź", "people": 0}]]'


def answers(model: ScriptedModel, marker: str, *texts: str) -> None:
    model.replier.queued.add({"match": marker, "answers": list(texts)})


def test_an_answer_that_satisfies_is_handed_over_as_a_value(engine: Engine, model: ScriptedModel, marker: str) -> None:
    outcome = ask(engine, f"{RIGHT} {marker}", output_schema=CITY, streamed=False)
    assert (outcome.status, outcome.structured_output) == ("completed", {"city": "Łódź", "people": 5})
    assert json.loads(outcome.text) == outcome.structured_output
    (entry,) = model.journal.entries(marker)
    body: Any = entry["body"]
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["output_config"]["effort"] == "medium", "what the CLI set stands"
    assert STRUCTURED_OUTPUTS in entry["headers"]["anthropic-beta"].split(",")  # type: ignore[index]
    assert [block["text"] for block in body["messages"][0]["content"]] == [f"{RIGHT} {marker}"]


def test_a_wrong_answer_is_asked_for_once_more(engine: Engine, model: ScriptedModel, marker: str) -> None:
    answers(model, marker, f"[[think: hm]] {WRONG}", RIGHT)
    asked = begin(engine, spec(marker, output_schema=CITY, streamed=False))
    outcome = asked.done()
    assert (outcome.status, outcome.structured_output, outcome.num_turns) == (
        "completed",
        {"city": "Łódź", "people": 5},
        2,
    )
    assert asked.text == outcome.text, "the first answer was never told"
    assert len(outcome.calls) == len({call.id for call in outcome.calls}) == 2, "both are billed"
    first, second = requests(model, marker)
    assert second["messages"][0]["content"][0]["text"] == first["messages"][0]["content"][0]["text"]
    thinking, said = second["messages"][-2]["content"]
    assert (thinking["thinking"], json.loads(said["text"])["people"]) == ("hm", 0)
    assert "people: 0 is less than the minimum of 1" in second["messages"][-1]["content"][0]["text"]


def test_a_model_that_cannot_comply_is_an_error_and_no_broken_json(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    answers(model, marker, WRONG, "[[say: I would rather not.]]")
    asked = begin(engine, spec(marker, output_schema=CITY, streamed=False))
    outcome = asked.done()
    assert (outcome.status, outcome.error_code, outcome.structured_output) == ("failed", "invalid_output", None)
    assert "not JSON" in str(outcome.error_message)
    assert asked.text == ""
    assert len(outcome.calls) == 2


def test_both_answers_are_paid_from_one_cap(engine: Engine, model: ScriptedModel, marker: str) -> None:
    answers(model, marker, "[[tokens: 90]]", RIGHT)
    outcome = ask(engine, marker, output_schema=CITY, streamed=False, cap_microusd=1_000)
    assert (outcome.status, outcome.error_code) == ("failed", "cost_limit")
    assert outcome.cost_microusd <= 1_000


def test_a_streamed_answer_is_told_as_it_comes_and_judged_at_its_end(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    asked = begin(engine, spec(f"[[piece: 1]] {RIGHT}", output_schema=CITY))
    assert asked.done().structured_output == {"city": "Łódź", "people": 5}
    assert len([event for event in asked.events if isinstance(event, Text)]) > 3
    broken = begin(engine, spec(f"{WRONG} {marker}", output_schema=CITY))
    assert broken.done().error_code == "invalid_output"
    assert broken.text, "it had been told"
    assert len(requests(model, marker)) == 1, "what was told cannot be taken back, so it is not asked again"


def test_a_schema_that_cannot_be_constrained_is_asked_for_in_words(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    answers(model, marker, '[[say: Sure! {"a": 1}]]', '[[say: ```json\n{"a": 1}\n```]]')
    asked = begin(engine, spec(marker, output_schema=LOOSE))
    outcome = asked.done()
    assert (outcome.status, outcome.structured_output, outcome.text) == ("completed", {"a": 1}, '{"a": 1}')
    assert asked.text == '{"a": 1}', "streamed or not, nothing is told before it was judged"
    first, _ = requests(model, marker)
    assert "format" not in first["output_config"]
    question, note = first["messages"][0]["content"]
    assert "cache_control" in question
    assert json.dumps(LOOSE) in note["text"]


def test_any_object_is_json_mode(engine: Engine, model: ScriptedModel, marker: str) -> None:
    assert ask(engine, '[[json: {"x": []}]]', output_schema=ANY_OBJECT).structured_output == {"x": []}
    answers(model, marker, "[[json: [1]]]", "[[json: [1]]]")
    assert ask(engine, marker, output_schema=ANY_OBJECT).error_code == "invalid_output"


@pytest.mark.parametrize("direction", ["[[stop_reason: max_tokens]]", "[[stop_reason: refusal]]"])
def test_an_unfinished_answer_is_told_with_its_reason(engine: Engine, direction: str) -> None:
    outcome = ask(engine, f"[[say: {{]] {direction}", output_schema=CITY, streamed=False, max_tokens=9)
    assert (outcome.status, outcome.text) == ("completed", "{")
    assert outcome.structured_output is None


def test_an_answer_may_call_a_tool_instead(engine: Engine) -> None:
    outcome = ask(engine, '[[tool: find {"city": "x"}]]', output_schema=CITY, tools=(TOOL,), streamed=False)
    assert (outcome.status, outcome.stop_reason) == ("completed", "tool_use")


@pytest.mark.parametrize("streamed", [True, False])
def test_a_forced_call_that_does_not_come_is_asked_for_once_more(
    engine: Engine, model: ScriptedModel, marker: str, streamed: bool
) -> None:
    answers(model, marker, "[[say: No.]]", '[[tool: find {"city": "x"}]]')
    asked = begin(engine, spec(marker, tools=(TOOL,), tool_choice=FORCED, streamed=streamed))
    outcome = asked.done()
    assert (outcome.status, outcome.stop_reason, asked.text) == ("completed", "tool_use", "")
    assert [event.name for event in asked.events if isinstance(event, ToolUse)] == ["find"]


def test_the_wrong_call_is_not_the_forced_one(engine: Engine, model: ScriptedModel, marker: str) -> None:
    other = TOOL | {"name": "other"}
    answers(model, marker, "[[tool: other {}]]", "[[tool: other {}]]")
    outcome = ask(engine, marker, tools=(TOOL, other), tool_choice=FORCED, streamed=False)
    assert outcome.error_code == "invalid_output"
    repair = requests(model, marker)[-1]["messages"][-1]["content"][0]
    assert (repair["type"], repair["is_error"]) == ("tool_result", True)


def test_a_strict_tool_s_arguments_are_judged(engine: Engine, model: ScriptedModel, marker: str) -> None:
    strict = TOOL | {"strict": True}
    answers(model, marker, '[[tool: find {"people": 1}]]', '[[tool: find {"city": "x"}]]')
    outcome = ask(engine, marker, tools=(strict,), streamed=False)
    assert (outcome.status, outcome.num_turns) == ("completed", 2)
    assert _inputs(outcome) == [{"city": "x"}]
    (sent,) = requests(model, marker)[0]["tools"]
    assert sent["strict"] is True
    assert sent["input_schema"]["properties"]["people"] == {"type": "integer", "description": "{minimum: 1}"}


def test_arguments_of_other_tools_are_the_client_s_to_judge(engine: Engine) -> None:
    outcome = ask(engine, '[[tool: find {"people": "many"}]]', tools=(TOOL,), streamed=False)
    assert (outcome.status, _inputs(outcome)) == ("completed", [{"people": "many"}])


def test_a_strict_tool_outside_the_upstream_s_subset_is_judged_here_only(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    loose = {"name": "find", "input_schema": LOOSE, "strict": True}
    answers(model, marker, '[[tool: find {"a": "b"}]]', '[[tool: find {"a": 2}]]')
    assert _inputs(ask(engine, marker, tools=(loose,), streamed=False)) == [{"a": 2}]
    assert requests(model, marker)[0]["tools"] == [{"name": "find", "input_schema": LOOSE}]


def _inputs(outcome: Outcome) -> list[dict[str, Any]]:
    return [block["input"] for block in outcome.content if block["type"] == "tool_use"]
