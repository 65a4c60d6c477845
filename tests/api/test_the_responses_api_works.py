"""OpenAI's Responses API by its official client, with the real CLI and the scripted model behind it."""

import json
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI

from tests.support.scripted import ScriptedServer
from tests.support.service import Person
from tests.support.waiting import eventually

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CALL = '[[tool: get_weather {"city": "Graz"}]]'


def upstream_turns(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for message in entry["body"]["messages"] if message["role"] != "system"]


def test_a_text_is_answered(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    found = openai.responses.create(model="sonnet", input=f"[[say: Four.]] {marker}", instructions="Count.")
    assert (found.status, found.output_text, found.model) == ("completed", "Four.", "claude-sonnet-5-5")
    counted = scripted_model.log.one(marker)["usage"]
    assert found.usage is not None
    assert found.usage.output_tokens == counted["output_tokens"]
    prompt = sum(counted.get(f"{kind}input_tokens") or 0 for kind in ("", "cache_read_", "cache_creation_"))
    assert found.usage.input_tokens == prompt
    assert scripted_model.log.one(marker)["body"]["system"][-1]["text"] == "Count."


def test_a_response_is_found_continued_and_forgotten(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    first = openai.responses.create(model="sonnet", input=f"[[say: One.]] {marker}")
    assert openai.responses.retrieve(first.id).output_text == "One."
    second = openai.responses.create(model="sonnet", input=f"[[say: Two.]] {marker}", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    turns = upstream_turns(scripted_model.log.containing(marker)[-1])
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"][0]["text"] == "One."
    openai.responses.delete(first.id)
    for again in (openai.responses.retrieve, openai.responses.delete):
        with pytest.raises(sdk.NotFoundError):
            again(first.id)
    with pytest.raises(sdk.NotFoundError) as missing:
        openai.responses.create(model="sonnet", input="more", previous_response_id=first.id)
    assert missing.value.param == "previous_response_id"


def test_what_was_asked_can_be_listed_page_by_page(openai: OpenAI, charlie: Person, marker: str) -> None:
    first = openai.responses.create(model="sonnet", input=f"{CALL} {marker}", tools=[WEATHER])
    [call] = [item for item in first.output if item.type == "function_call"]
    image: Any = {"type": "input_image", "image_url": PNG}
    more: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"},
        {"role": "user", "content": [{"type": "input_text", "text": "And?"}, image]},
    ]
    second = openai.responses.create(model="sonnet", input=more, tools=[WEATHER], previous_response_id=first.id)
    found: list[Any] = list(openai.responses.input_items.list(second.id, order="asc", limit=2))
    assert [item.type for item in found] == ["message", "function_call", "function_call_output", "message"]
    assert found[0].content[0].text == f"{CALL} {marker}"
    assert found[1].call_id == found[2].call_id == call.call_id
    assert found[2].output == "21 degrees"
    assert [part.type for part in found[3].content] == ["input_text", "input_image"]
    assert found[3].content[1].image_url == PNG
    assert [item.id for item in openai.responses.input_items.list(second.id)] == [item.id for item in found[::-1]]
    with pytest.raises(sdk.BadRequestError):
        openai.responses.input_items.list(second.id, after="msg_nothing")
    assert charlie.http.get(f"/v1/responses/{second.id}/input_items").status == 404
    openai.responses.delete(first.id)
    with pytest.raises(sdk.NotFoundError):
        openai.responses.input_items.list(first.id)


def test_what_is_not_to_be_stored_is_not_found(openai: OpenAI, marker: str) -> None:
    found = openai.responses.create(model="sonnet", input=f"[[say: Hush.]] {marker}", store=False)
    with pytest.raises(sdk.NotFoundError):
        openai.responses.retrieve(found.id)


def test_somebody_else_s_response_does_not_exist(openai: OpenAI, charlie: Person, marker: str) -> None:
    found = openai.responses.create(model="sonnet", input=marker)
    assert charlie.http.get(f"/v1/responses/{found.id}").status == 404
    assert charlie.http.post(f"/v1/responses/{found.id}/cancel", {}).status == 404


def test_functions_are_called_and_their_outputs_taken_back(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    asked = openai.responses.create(model="sonnet", input=f"{CALL} {marker}", tools=[WEATHER])
    [call] = [item for item in asked.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Graz"})
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    answer = openai.responses.create(model="sonnet", input=[output], tools=[WEATHER], previous_response_id=asked.id)
    assert answer.output_text == "Done."
    turns = upstream_turns(scripted_model.log.containing(marker)[-1])
    assert turns[1]["content"][-1]["id"] == turns[2]["content"][0]["tool_use_id"] == call.call_id


def test_a_stream_has_typed_events_in_order(openai: OpenAI, marker: str) -> None:
    with openai.responses.stream(model="sonnet", input=f"[[tokens: 30]] [[rate: 15]] {marker}") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert len(kinds) > 10
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.output_text == openai.responses.retrieve(final.id).output_text


def test_a_stream_can_be_told_again_from_anywhere(openai: OpenAI, marker: str) -> None:
    def dumped(events: Any) -> list[dict[str, Any]]:
        return [event.to_dict() for event in events]

    whole = dumped(openai.responses.create(model="sonnet", input=f"{CALL} {marker}", tools=[WEATHER], stream=True))
    found = whole[-1]["response"]["id"]
    assert "response.function_call_arguments.done" in [event["type"] for event in whole]
    again = dumped(openai.responses.retrieve(found, stream=True, starting_after=3))
    assert [event["sequence_number"] for event in again] == list(range(4, len(whole)))
    assert again[-1]["response"]["output"] == whole[-1]["response"]["output"]


def test_a_response_in_the_background_can_be_polled_and_cancelled(openai: OpenAI, marker: str) -> None:
    begun = openai.responses.create(model="sonnet", input=f"[[hang: 3]] {marker}", background=True)
    assert begun.status in ("queued", "in_progress")
    openai.responses.cancel(begun.id)
    eventually(lambda: openai.responses.retrieve(begun.id).status == "cancelled", message="not cancelled")


def test_structured_output_is_parsed_by_the_sdk(openai: OpenAI, marker: str) -> None:
    from pydantic import BaseModel

    class Count(BaseModel):
        n: int

    found = openai.responses.parse(model="sonnet", input=f'[[json: {{"n": 4}}]] {marker}', text_format=Count)
    assert found.output_parsed == Count(n=4)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"truncation": "auto"}, "truncation"),
        ({"text": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "text.format.name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"conversation": "conv_1"}, "conversation"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(openai: OpenAI, change: dict[str, Any], param: str) -> None:
    with pytest.raises(sdk.BadRequestError) as refused:
        openai.responses.create(**{"model": "sonnet", "input": "hello", **change})
    assert refused.value.param == param


def test_a_failure_is_the_sdk_s_error_or_the_stream_s_last_event(openai: OpenAI, marker: str) -> None:
    with pytest.raises(sdk.InternalServerError):
        openai.responses.create(model="sonnet", input=f"[[fail: 529]] {marker}")
    text = f"[[tokens: 50]] [[rate: 100]] [[fail: 529 after=20]] {marker}"
    events = list(openai.responses.create(model="sonnet", input=text, stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None
