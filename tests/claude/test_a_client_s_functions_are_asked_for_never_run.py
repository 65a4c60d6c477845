"""Function calling on live processes: the real CLI, which knows no tool, and a model that asks for some."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Outcome, Text, ToolInput, ToolUse, Turn
from tests.claude.conftest import Asked, ask, begin, requests, spec, turns, without_marks

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
BASH = {"name": "Bash", "description": "The client's own", "input_schema": {"type": "object", "properties": {}}}
HAIKU_4_5 = "claude-haiku-4-5"


def calls(outcome: Outcome) -> list[tuple[str, dict[str, Any]]]:
    return [(block["name"], block["input"]) for block in outcome.content if block["type"] == "tool_use"]


def result(tool_use: dict[str, Any], text: str, **more: Any) -> Turn:
    return Turn("user", ({"type": "tool_result", "tool_use_id": tool_use["id"], "content": text, **more},))


def test_the_model_s_call_comes_out_whole_and_in_pieces(engine: Engine, model: ScriptedModel, marker: str) -> None:
    arguments = {"city": "Zürich 🚀", "deep": {"a": [1, {"b": None}]}, "long": "x" * 300}
    prompt = f"[[think: Let me see.]] [[tool: get_weather {json.dumps(arguments)}]] {marker}"
    asked = begin(engine, spec(prompt, tools=(WEATHER,)))
    outcome = asked.done()
    assert (outcome.status, outcome.stop_reason, outcome.tools_used) == ("completed", "tool_use", ("get_weather",))
    thinking, call = outcome.content
    assert (thinking["type"], thinking["thinking"]) == ("thinking", "Let me see.")
    assert thinking["signature"]
    assert calls(outcome) == [("get_weather", arguments)]
    (started,) = [event for event in asked.events if isinstance(event, ToolUse)]
    assert started == ToolUse(call["id"], "get_weather", None)
    pieces = [event for event in asked.events if isinstance(event, ToolInput)]
    assert len(pieces) > 3
    assert {piece.id for piece in pieces} == {call["id"]}
    assert json.loads("".join(piece.partial_json for piece in pieces)) == arguments
    (body,) = requests(model, marker)
    assert body["tools"] == [WEATHER]
    assert "tool_choice" not in body


def test_several_calls_in_one_turn_keep_their_order_and_ids(engine: Engine) -> None:
    wanted = [{"name": "get_weather", "input": {"city": city}} for city in ("Rome", "Oslo", "Lima")]
    asked = begin(engine, spec(f"[[tools: {json.dumps(wanted)}]]", tools=(WEATHER,)))
    assert calls(asked.done()) == [(each["name"], each["input"]) for each in wanted]
    assert len(set(_ids(asked))) == 3


def test_a_call_without_arguments_has_an_empty_object(engine: Engine) -> None:
    assert calls(ask(engine, "[[tool: Bash]]", tools=(BASH,))) == [("Bash", {})]


def test_the_cli_s_own_tools_are_only_names_here(engine: Engine, tmp_path: Path) -> None:
    """The CLI was started without tools, so a call with the name of one is nothing to it but text that it passes on."""
    deed = tmp_path / "deed"
    tmp_path.chmod(0o777)
    names = ("Bash", "Write", "Read", "Task", "WebFetch", "mcp__fn__x")
    tools = tuple(BASH | {"name": name} for name in names)
    inputs = {"Bash": {"command": f"touch {deed}"}, "Write": {"file_path": str(deed), "content": "done"}}
    for name in names:
        wanted = inputs.get(name, {"file_path": "/etc/passwd"})
        outcome = ask(engine, f"[[tool: {name} {json.dumps(wanted)}]]", tools=tools)
        assert calls(outcome) == [(name, wanted)]
        assert len(outcome.calls) == 1, "the CLI's own reaction to the call never goes upstream"
    assert not deed.exists()


def test_results_go_back_with_their_calls(engine: Engine, model: ScriptedModel, marker: str) -> None:
    first = ask(engine, f"[[tool: get_weather {{}}]] {marker}", tools=(WEATHER,))
    call = first.content[-1]
    history = (*turns(f"[[tool: get_weather {{}}]] {marker}"), Turn("assistant", first.content))
    second = ask(engine, turns=(*history, result(call, "storm", is_error=True)), tools=(WEATHER,))
    assert (second.status, second.text, second.stop_reason) == ("completed", "Done.", "end_turn")
    body = requests(model, marker)[-1]
    sent = [message for message in body["messages"] if message["role"] != "system"]
    assert sent[1] == {"role": "assistant", "content": list(first.content)}
    (block,) = sent[2]["content"]
    assert block.pop("cache_control") == {"type": "ephemeral"}
    assert block == {"type": "tool_result", "tool_use_id": call["id"], "content": "storm", "is_error": True}


def test_each_turn_of_a_conversation_with_tools_is_a_prefix_of_the_next(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    history = turns(f'{marker} [[tool: get_weather {{"n": 1}}]] [[tool: get_weather {{"n": 2}}]] [[say: fine]]')
    for _ in range(3):
        outcome = ask(engine, turns=history, tools=(WEATHER,), system="You remember.")
        assert outcome.status == "completed"
        content = outcome.content or ({"type": "text", "text": outcome.text},)
        back = result(content[-1], "sunny") if outcome.stop_reason == "tool_use" else turns("and now?")[0]
        history = (*history, Turn("assistant", content), back)
    bodies = requests(model, marker)
    sent = [without_marks(body["messages"]) for body in bodies]
    for earlier, later in itertools.pairwise(sent):
        assert later[: len(earlier)] == earlier
    assert len({json.dumps([body["tools"], body["system"]]) for body in bodies}) == 1
    assert [_marked(body["messages"]) for body in bodies] == [[0], [2], [4]], "the newest message is marked, no other"


def test_the_choice_reaches_a_model_that_can_be_forced(engine: Engine, model: ScriptedModel, marker: str) -> None:
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    outcome = ask(engine, f"[[tool: get_weather {{}}]] {marker}", model=HAIKU_4_5, tools=(WEATHER,), tool_choice=choice)
    assert outcome.status == "completed"
    (body,) = requests(model, marker)
    assert body["tool_choice"] == choice
    assert "thinking" not in body, "a call that thinks cannot be forced"


def test_a_model_that_always_thinks_is_asked_in_words(engine: Engine, model: ScriptedModel, marker: str) -> None:
    ask(
        engine, f"[[tool: get_weather]] {marker}", tools=(WEATHER,), tool_choice={"type": "tool", "name": "get_weather"}
    )
    (body,) = requests(model, marker)
    assert body["tool_choice"] == {"type": "auto"}
    asked, note = body["messages"][0]["content"]
    assert "cache_control" in asked
    assert note == {"type": "text", "text": "Answer by calling the tool `get_weather`."}
    assert "thinking" in body


@pytest.mark.parametrize("choice", [{"type": "none"}, {"type": "auto", "disable_parallel_tool_use": True}])
def test_what_forces_nothing_goes_upstream_as_it_is(
    engine: Engine, model: ScriptedModel, marker: str, choice: dict[str, Any]
) -> None:
    ask(engine, f"hello {marker}", tools=(WEATHER,), tool_choice=choice)
    (body,) = requests(model, marker)
    assert body["tool_choice"] == choice


def test_hundreds_of_alternating_calls_leave_nothing_behind(engine: Engine, model: ScriptedModel, marker: str) -> None:
    """Calls, results, chats and cut answers take turns on the same processes; each request holds its own words only."""
    words = [f"{marker}-{n:03}" for n in range(240)]
    for n, word in enumerate(words):
        match n % 4:
            case 0:
                outcome = ask(engine, f'[[tool: get_weather {{"word": "{word}"}}]]', tools=(WEATHER,))
                assert calls(outcome) == [("get_weather", {"word": word})]
            case 1:
                call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"word": word}}
                talk = (*turns("[[tool: get_weather {}]]"), Turn("assistant", (call,)), result(call, f"of {word}"))
                outcome = ask(engine, turns=talk, tools=(WEATHER,))
                assert outcome.text == "Done."
            case 2:
                outcome = ask(engine, f"[[say: plain {word}]]")
                assert outcome.text == f"plain {word}"
            case _:
                outcome = ask(engine, f"[[tool: get_weather {{}}]] {word}", tools=(WEATHER,), max_tokens=1)
                assert outcome.stop_reason == "max_tokens"
        assert len(outcome.calls) == 1
    bodies = [json.dumps(body) for body in requests(model, marker)]
    assert len(bodies) == len(words)
    for body, word in zip(bodies, words, strict=True):
        assert word in body
        assert marker not in body.replace(word, "")
    sessions = {str(entry["headers"]["x-claude-code-session-id"]) for entry in model.journal.entries(marker)}  # type: ignore[index]
    assert len(sessions) <= 3, "the processes stayed in use"


def test_an_answer_in_text_and_calls_tells_both(engine: Engine, model: ScriptedModel, marker: str) -> None:
    blocks = [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "name": "Bash", "input": {"x": 1}}]
    model.replier.queued.add({"match": marker, "answers": [blocks]})
    asked = begin(engine, spec(marker, tools=(BASH,)))
    outcome = asked.done()
    assert [block["type"] for block in outcome.content] == ["text", "tool_use"]
    assert (outcome.text, asked.text) == ("Let me look.", "Let me look.")
    kinds = [type(event) for event in asked.events if isinstance(event, Text | ToolUse | ToolInput)]
    assert kinds == [Text, ToolUse, ToolInput]


def _ids(asked: Asked) -> list[str]:
    return [event.id for event in asked.events if isinstance(event, ToolUse)]


def _marked(messages: list[dict[str, Any]]) -> list[int]:
    spoken = [message["content"] for message in messages if message["role"] != "system"]
    return [n for n, content in enumerate(spoken) for block in content if "cache_control" in block]
