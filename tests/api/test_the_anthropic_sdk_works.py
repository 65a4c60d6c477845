"""Anthropic's official client against the real service, with the real CLI and the scripted model behind it."""

import json
from typing import Any

import anthropic as sdk
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.api.test_the_openai_sdk_works import PNG
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
A_QUESTION = {"role": "user", "content": "a"}


@pytest.fixture
def client(service: Service, alice: Person) -> Anthropic:
    return Anthropic(base_url=service.url, api_key=alice.key, max_retries=0)


def ask(client: Anthropic, text: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.messages.create(**{"model": "sonnet", "max_tokens": 500, "messages": messages, **more})


def test_a_message_is_answered_with_its_usage(client: Anthropic, scripted_model: ScriptedServer, marker: str) -> None:
    answer = ask(client, f"[[say: Four.]] {marker}", system=[{"type": "text", "text": f"Be brief {marker}."}])
    assert (answer.type, answer.role, answer.content[0].text) == ("message", "assistant", "Four.")
    assert answer.stop_reason == "end_turn"
    entry = scripted_model.log.one(marker)
    counted = entry["usage"]
    for kind in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        assert getattr(answer.usage, kind) == (counted.get(kind) or 0)
    assert [block["text"] for block in entry["body"]["system"]][-1] == f"Be brief {marker}."
    assert entry["body"]["max_tokens"] == 500


def test_a_stream_comes_in_anthropic_s_order(client: Anthropic, marker: str) -> None:
    with client.messages.stream(
        model="sonnet",
        max_tokens=500,
        messages=[{"role": "user", "content": f"[[tokens: 30]] [[rate: 15]] {marker}"}],
    ) as stream:
        kinds = [event.type for event in stream if event.type not in ("text", "ping")]
        final = stream.get_final_message()
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert len(kinds) > 6
    assert final.usage.output_tokens == 30
    assert final.usage.input_tokens + (final.usage.cache_creation_input_tokens or 0) > 0
    assert final.stop_reason == "end_turn"


def test_tools_are_asked_for_and_their_results_taken_back(
    client: Anthropic, scripted_model: ScriptedServer, marker: str
) -> None:
    question: Any = {"role": "user", "content": f'[[tool: get_weather {{"city": "Graz"}}]] {marker}'}
    with client.messages.stream(
        model="sonnet",
        max_tokens=500,
        messages=[question],
        tools=[WEATHER],  # type: ignore[list-item]
    ) as stream:
        asked = stream.get_final_message()
    assert asked.stop_reason == "tool_use"
    [call] = [block for block in asked.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Graz"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": f"21 degrees {marker}", "is_error": False}
    conversation: Any = [
        question,
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [result]},
    ]
    tools: Any = [WEATHER]
    answer = client.messages.create(model="sonnet", max_tokens=500, tools=tools, messages=conversation)
    assert answer.content[0].text == "Done."  # type: ignore[union-attr]
    sent = [m for m in scripted_model.log.containing(marker)[-1]["body"]["messages"] if m["role"] != "system"]
    assert sent[1]["content"][-1] | {"cache_control": None} == {
        "type": "tool_use",
        "id": call.id,
        "name": "get_weather",
        "input": {"city": "Graz"},
        "cache_control": None,
    }
    assert sent[2]["content"][0]["tool_use_id"] == call.id


def test_thinking_is_shown_to_those_who_ask_for_it(client: Anthropic, marker: str) -> None:
    text = f"[[think: hm]] [[say: Done.]] {marker}"
    quiet = ask(client, text)
    assert [block.type for block in quiet.content] == ["text"]
    with client.messages.stream(
        model="sonnet",
        max_tokens=4000,
        thinking={"type": "adaptive"},
        messages=[{"role": "user", "content": text}],
    ) as stream:
        loud = stream.get_final_message()
    assert [block.type for block in loud.content] == ["thinking", "text"]
    assert loud.content[0].thinking == "hm"  # type: ignore[union-attr]
    assert loud.content[0].signature  # type: ignore[union-attr]


def test_images_and_stop_sequences(client: Anthropic, scripted_model: ScriptedServer, marker: str) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": f"What is it? {marker}"}]}]
    client.messages.create(model="haiku", max_tokens=50, messages=messages, stop_sequences=["END"])  # type: ignore[arg-type]
    body = scripted_model.log.one(marker)["body"]
    assert body["stop_sequences"] == ["END"]
    assert [block["type"] for block in body["messages"][0]["content"]] == ["image", "text"]
    assert body["messages"][0]["content"][0]["source"]["data"] == PNG


def test_structured_output(client: Anthropic, marker: str) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    answer = ask(
        client, f'[[json: {{"n": 4}}]] {marker}', output_config={"format": {"type": "json_schema", "schema": schema}}
    )
    assert json.loads(answer.content[0].text) == {"n": 4}


def test_tokens_are_counted_by_the_upstream(client: Anthropic, marker: str) -> None:
    few = client.messages.count_tokens(model="sonnet", messages=[{"role": "user", "content": marker}])
    many = client.messages.count_tokens(model="sonnet", messages=[{"role": "user", "content": f"{marker} more " * 50}])
    assert 0 < few.input_tokens < many.input_tokens


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "gpt-5"}, sdk.NotFoundError, "gpt-5"),
        ({"max_tokens": 0}, sdk.BadRequestError, "max_tokens"),
        ({"messages": []}, sdk.BadRequestError, "messages"),
        ({"messages": [A_QUESTION, {"role": "assistant", "content": "b"}]}, sdk.BadRequestError, "prefill"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, sdk.BadRequestError, "web_search"),
        ({"extra_body": {"top_k": 5}}, sdk.BadRequestError, "top_k"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, sdk.BadRequestError, "budget_tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_in_anthropic_s_shape(
    client: Anthropic, change: dict[str, Any], error: type[sdk.APIStatusError], words: str
) -> None:
    with pytest.raises(error) as refused:
        ask(client, "hello", **change)
    body: Any = refused.value.body
    assert body["type"] == "error"
    assert words in body["error"]["message"]
    assert body["request_id"] == refused.value.response.headers["request-id"]


def test_a_wrong_key_and_an_overloaded_upstream_are_the_sdk_s_errors(
    service: Service, client: Anthropic, marker: str
) -> None:
    with pytest.raises(sdk.AuthenticationError):
        ask(Anthropic(base_url=service.url, api_key="ccs_live_nobody", max_retries=0), "hello")
    with pytest.raises(sdk.APIStatusError) as overloaded:
        ask(client, f"[[fail: 529]] {marker}")
    assert overloaded.value.status_code == 529
    assert overloaded.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]


def test_a_stream_that_breaks_off_raises_at_the_client(client: Anthropic, marker: str) -> None:
    with (
        pytest.raises(sdk.APIStatusError),
        client.messages.stream(
            model="sonnet",
            max_tokens=500,
            messages=[{"role": "user", "content": f"[[tokens: 50]] [[fail: 529 after=10]] {marker}"}],
        ) as stream,
    ):
        stream.get_final_message()


async def test_the_asynchronous_client(service: Service, alice: Person, marker: str) -> None:
    client = AsyncAnthropic(base_url=service.url, auth_token=alice.key, max_retries=0)
    answer = await client.messages.create(
        model="haiku", max_tokens=50, messages=[{"role": "user", "content": f"[[say: Hi.]] {marker}"}]
    )
    assert answer.content[0].text == "Hi."  # type: ignore[union-attr]
