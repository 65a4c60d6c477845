import json
from typing import Any

import pytest

from tests.support.http import Answer, Http, ServerEvent
from tests.support.scripted import ScriptedServer

MODEL = "claude-sonnet-4-6"


@pytest.fixture(scope="module")
def http(scripted_model: ScriptedServer) -> Http:
    return Http(scripted_model.url)


def request(text: str, **fields: object) -> dict[str, object]:
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **fields}


def ask(http: Http, text: str, **fields: object) -> dict[str, Any]:
    answer = http.post("/v1/messages", request(text, **fields), x_api_key="sk-test")
    assert answer.status == 200, answer.body
    message: dict[str, Any] = answer.json()
    return message


def said(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def stream(http: Http, text: str, **fields: object) -> list[ServerEvent]:
    with http.stream("POST", "/v1/messages", request(text, stream=True, **fields)) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream"
        return list(answer.events())


def deltas(events: list[ServerEvent], kind: str, key: str) -> list[str]:
    found = [event.json()["delta"] for event in events if event.event == "content_block_delta"]
    return [delta[key] for delta in found if delta["type"] == kind]


def test_a_plain_prompt_is_told_that_this_is_a_demo(http: Http) -> None:
    text = said(ask(http, "What is\n\x07 the  capital <b>of</b> France?"))
    assert "scripted demo model" in text
    assert "No AI has read it" in text
    assert "“What is the capital <b>of</b> France?”" in text


def test_a_long_prompt_is_quoted_short(http: Http) -> None:
    assert len(said(ask(http, "long " * 5000))) < 600


def test_a_message_has_the_apis_shape(http: Http) -> None:
    message = ask(http, "[[say: Good morning]]")
    assert message.pop("id").startswith("msg_01")
    usage = message.pop("usage")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Good morning"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    assert usage == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 3,
        "service_tier": "standard",
    }


def test_a_stream_has_the_apis_events_in_their_order(http: Http) -> None:
    events = stream(http, "[[think: hm]] [[tokens: 40]]")
    assert [event.event for event in events] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(event.json()["type"] == event.event for event in events)
    assert deltas(events, "thinking_delta", "thinking") == ["hm"]
    assert len(deltas(events, "signature_delta", "signature")) == 1
    start, end = events[0].json()["message"], events[-2].json()
    assert (start["content"], start["stop_reason"], start["usage"]["output_tokens"]) == ([], None, 1)
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert end["usage"]["output_tokens"] == 1 + 40
    assert end["usage"]["input_tokens"] == start["usage"]["input_tokens"] > 0


@pytest.mark.parametrize(
    "text", ["hello", "[[say: a]] [[say: b]]", "[[echo]] é 😀 \ud800", '[[json: {"a": [1, "ü"]}]]', "[[tokens: 300]]"]
)
def test_streamed_and_whole_answers_are_the_same(http: Http, text: str) -> None:
    message, events = ask(http, text), stream(http, text)
    assert "".join(deltas(events, "text_delta", "text")) == said(message)
    usage = events[-2].json()["usage"]
    assert usage == {name: message["usage"][name] for name in usage}


def test_tokens_are_exactly_as_many_as_asked_for_and_all_different(http: Http) -> None:
    message = ask(http, "[[tokens: 200]]")
    assert message["usage"]["output_tokens"] == 200
    assert len(set(said(message).split())) == 200


def test_one_token_a_delta_when_paced(http: Http) -> None:
    pieces = deltas(stream(http, "[[tokens: 30]] [[rate: 1000]]"), "text_delta", "text")
    assert len(pieces) == 30
    assert "".join(pieces) == said(ask(http, "[[tokens: 30]]"))


def test_echo_answers_the_prompt_without_its_directives(http: Http) -> None:
    assert said(ask(http, "say [[echo]] this")) == "say  this"


def test_max_tokens_ends_an_answer(http: Http) -> None:
    message = ask(http, "[[tokens: 200]]", max_tokens=7)
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 7)
    assert said(message) == "000 001 002 003 004 005 006 "


def test_a_stop_sequence_ends_an_answer_and_is_named(http: Http) -> None:
    message = ask(http, "[[say: one two three]]", stop_sequences=["three", "two"])
    assert (message["stop_reason"], message["stop_sequence"], said(message)) == ("stop_sequence", "two", "one ")


def test_usage_and_stop_reason_can_be_told(http: Http) -> None:
    text = '[[say: x]] [[stop_reason: pause_turn]] [[usage: {"input_tokens": 5, "cache_creation_input_tokens": 9}]]'
    message = ask(http, text)
    assert message["stop_reason"] == "pause_turn"
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_creation_input_tokens"], usage["output_tokens"]) == (5, 9, 1)
    assert usage["cache_creation"]["ephemeral_5m_input_tokens"] == 9


def test_a_refusal_says_nothing(http: Http) -> None:
    message = ask(http, "[[refuse]]")
    assert (message["stop_reason"], message["content"]) == ("refusal", [])


def test_tools_are_asked_for_turn_by_turn_and_then_the_rest_is_said(http: Http) -> None:
    text = '[[tool: Bash {"command": "ls"}]] [[tools: [{"name":"A","input":{}},{"name":"B","input":{}}]]] [[say: done]]'
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    names = []
    for _ in range(3):
        answer = http.post("/v1/messages", {"model": MODEL, "max_tokens": 100, "messages": messages}).json()
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        names.append(([call["name"] for call in calls], answer["stop_reason"]))
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "[[say: no]]"} for call in calls]
        messages += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": results}]
    assert names == [(["Bash"], "tool_use"), (["A", "B"], "tool_use"), ([], "end_turn")]
    assert said(answer) == "done"


def test_words_before_a_tool_call_do_not_count_as_a_turn(http: Http) -> None:
    messages = [
        {"role": "user", "content": "[[tool: A]] [[tool: B]]"},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "A", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "a"}]},
    ]
    answer = http.post("/v1/messages", {"model": MODEL, "max_tokens": 100, "messages": messages}).json()
    assert answer["content"][0]["name"] == "B"


def test_a_streamed_tool_call_carries_its_input_as_json_pieces(http: Http) -> None:
    command = "echo " + "x" * 200
    events = stream(http, f'[[tool: Bash {{"command": "{command}"}}]]')
    start = next(event.json()["content_block"] for event in events if event.event == "content_block_start")
    assert (start["type"], start["name"], start["input"]) == ("tool_use", "Bash", {})
    pieces = deltas(events, "input_json_delta", "partial_json")
    assert pieces[0] == ""
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {"command": command}


def test_only_the_last_message_of_the_user_directs(http: Http) -> None:
    messages = [
        {"role": "user", "content": "[[say: old]]"},
        {"role": "assistant", "content": "old"},
        {"role": "user", "content": [{"type": "text", "text": "reminder"}, {"type": "text", "text": "[[say: new]]"}]},
        {"role": "system", "content": "[[say: never]]"},
    ]
    assert said(http.post("/v1/messages", {"model": MODEL, "max_tokens": 9, "messages": messages}).json()) == "new"


def test_counted_tokens_are_those_that_are_billed(http: Http) -> None:
    fields = {"system": "You are kind.", "tools": [{"name": "f", "input_schema": {"type": "object"}}]}
    counted = http.post("/v1/messages/count_tokens", {**request("hello"), **fields})
    assert counted.json() == {"input_tokens": ask(http, "hello", **fields)["usage"]["input_tokens"]}


def test_queued_answers_are_used_in_order_by_the_requests_that_match(
    scripted_model: ScriptedServer, http: Http, marker: str
) -> None:
    scripted_model.answer(marker, [{"type": "tool_use", "name": "Bash", "input": {"command": "id"}}], "[[say: two]]")
    assert "demo" in said(ask(http, "somebody else"))
    assert ask(http, marker)["content"][0]["name"] == "Bash"
    assert said(ask(http, "in the system prompt", system=marker)) == "two"
    assert "demo" in said(ask(http, marker))


def test_a_queue_that_makes_no_sense_is_refused(http: Http) -> None:
    answer: Answer = http.post("/script", {"match": "", "answers": [7]})
    assert answer.status == 400
