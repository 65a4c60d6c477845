"""The official client against the real service, with the real CLI and the scripted model behind it."""

import asyncio
import base64
import json
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import (
    ChatCompletionContentPartParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolChoiceOptionParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
).decode()


def said(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def turns(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The conversation in an upstream request, without what the CLI adds."""
    return [message for message in request["messages"] if message["role"] != "system"]


def test_a_blocking_completion(openai: OpenAI, marker: str) -> None:
    answer = openai.chat.completions.create(model="sonnet", messages=said(f"[[say: Four.]] {marker}"))
    assert answer.choices[0].message.content == "Four."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "claude-sonnet-5-5"
    assert answer.object == "chat.completion"


def test_usage_equals_the_upstream_s_own_count(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    answer = openai.chat.completions.create(model="sonnet", messages=said(f"[[tokens: 40]] {marker}"))
    counted = scripted_model.log.one(marker)["usage"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == counted["output_tokens"] == 40
    prompt = sum(counted.get(f"{kind}input_tokens") or 0 for kind in ("", "cache_read_", "cache_creation_"))
    assert answer.usage.prompt_tokens == prompt
    assert answer.usage.total_tokens == prompt + 40


def test_what_the_cli_and_we_add_is_reported(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    answer = openai.chat.completions.create(
        model="sonnet", messages=[{"role": "system", "content": "Be brief."}, *said(f"[[echo]] {marker}")]
    )
    body = scripted_model.log.one(marker)["body"]
    added = sum(len(block["text"]) for block in body["system"]) - len("Be brief.")
    assert (answer.model_extra or {})["x_claude"]["overhead_tokens"] == -(-added // 4) > 0


def test_a_stream_brings_the_answer_piece_by_piece(openai: OpenAI, marker: str) -> None:
    stream = openai.chat.completions.create(
        model="sonnet",
        messages=said(f"[[tokens: 30]] [[rate: 15]] {marker}"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    *parts, usage = chunks
    assert parts[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in parts if chunk.choices[0].delta.content]
    assert len(pieces) > 2
    assert parts[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in parts)
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.completion_tokens == 30
    whole = openai.chat.completions.create(model="sonnet", messages=said(f"[[tokens: 30]] {marker}"))
    assert "".join(pieces) == whole.choices[0].message.content


def test_the_stream_helper_assembles_the_answer(openai: OpenAI, marker: str) -> None:
    with openai.chat.completions.stream(model="sonnet", messages=said(f"[[say: Piece by piece.]] {marker}")) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Piece by piece."


async def test_the_asynchronous_client_asks_several_at_once(async_openai: AsyncOpenAI, marker: str) -> None:
    async def ask(number: int) -> str | None:
        messages = said(f"[[say: answer {number}]] {marker}")
        answer = await async_openai.chat.completions.create(model="sonnet", messages=messages)
        return answer.choices[0].message.content

    answers = await asyncio.gather(*(ask(number) for number in range(6)))
    assert answers == [f"answer {number}" for number in range(6)]


async def test_the_asynchronous_client_streams(async_openai: AsyncOpenAI, marker: str) -> None:
    stream = await async_openai.chat.completions.create(
        model="haiku", messages=said(f"[[say: One two three.]] {marker}"), stream=True
    )
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == "One two three."


def test_a_conversation_goes_upstream_as_it_was(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    first = openai.chat.completions.create(
        model="sonnet", messages=said(f"[[say: Paris.]] Capital of France? {marker}")
    )
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief."},
        *said(f"[[say: Paris.]] Capital of France? {marker}"),
        first.choices[0].message.to_dict(),  # type: ignore[list-item]  # as the SDK's own examples do
        *said("[[say: Rome.]] And of Italy?"),
    ]
    answer = openai.chat.completions.create(model="sonnet", messages=messages)
    assert answer.choices[0].message.content == "Rome."
    request = scripted_model.log.containing(marker)[-1]["body"]
    assert [message["role"] for message in turns(request)] == ["user", "assistant", "user"]
    assert "Be brief." in str(request["system"])


def test_an_image_reaches_the_model(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    openai.chat.completions.create(
        model="sonnet",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"What is this? {marker}"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            }
        ],
    )
    content = turns(scripted_model.log.one(marker)["body"])[-1]["content"]
    assert [block["type"] for block in content] == ["text", "image"]
    assert content[1]["source"]["media_type"] == "image/png"


def test_the_token_limit_and_stop_words_are_honoured(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    answer = openai.chat.completions.create(
        model="sonnet", messages=said(f"[[stop_reason: max_tokens]] {marker}"), max_tokens=7, stop=["END"]
    )
    assert answer.choices[0].finish_reason == "length"
    request = scripted_model.log.one(marker)["body"]
    assert request["max_tokens"] == 7
    assert request["stop_sequences"] == ["END"]


def test_sampling_reaches_a_model_that_takes_it(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    openai.chat.completions.create(model="claude-haiku-4-5", messages=said(f"Hi {marker}"), temperature=0.25)
    assert scripted_model.log.one(marker)["body"]["temperature"] == 0.25


def test_models_are_listed_and_described(openai: OpenAI) -> None:
    names = [model.id for model in openai.models.list()]
    assert {"haiku", "sonnet", "claude-sonnet-5-5"} <= set(names)
    assert "opus" not in names  # Alice's profile, pro, has none
    assert openai.models.retrieve("sonnet").owned_by == "anthropic"
    with pytest.raises(sdk.NotFoundError):
        openai.models.retrieve("opus")


def test_a_refusal_is_a_content_filter(openai: OpenAI, marker: str) -> None:
    answer = openai.chat.completions.create(model="sonnet", messages=said(f"[[refuse]] {marker}"))
    assert answer.choices[0].finish_reason == "content_filter"


def test_a_wrong_key_is_an_authentication_error(service: Service) -> None:
    with pytest.raises(sdk.AuthenticationError) as caught:
        OpenAI(base_url=f"{service.url}/v1", api_key="sk-wrong", max_retries=0).models.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id
    assert caught.value.request_id.startswith("req_")


def test_a_parameter_that_cannot_be_honoured_is_a_bad_request_naming_it(openai: OpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.chat.completions.create(model="sonnet", messages=said("Hi"), logprobs=True)
    assert caught.value.param == "logprobs"


def test_a_model_that_the_key_may_not_use_is_refused_with_the_rule(openai: OpenAI) -> None:
    with pytest.raises(sdk.PermissionDeniedError) as caught:
        openai.chat.completions.create(model="opus", messages=said("Hi"))
    assert caught.value.code == "model_not_allowed"
    assert "profile 'pro'" in str(caught.value)


@pytest.mark.parametrize("stream", [False, True])
def test_the_upstream_s_rate_limit_is_a_rate_limit_error(openai: OpenAI, marker: str, stream: bool) -> None:
    with pytest.raises(sdk.RateLimitError) as caught:
        openai.chat.completions.create(
            model="sonnet", messages=said(f"[[fail: 429 retry-after=7]] {marker}"), stream=stream
        )
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(("status", "stream"), [(500, False), (529, False), (529, True)])
def test_the_upstream_s_failures_come_through_as_they_are(
    openai: OpenAI, marker: str, status: int, stream: bool
) -> None:
    with pytest.raises(sdk.InternalServerError) as caught:
        openai.chat.completions.create(model="sonnet", messages=said(f"[[fail: {status}]] {marker}"), stream=stream)
    assert caught.value.status_code == status


def test_the_sdk_s_own_retries_get_through_a_passing_failure(service: Service, alice: Person, marker: str) -> None:
    client = OpenAI(base_url=f"{service.url}/v1", api_key=alice.key, max_retries=2)
    answer = client.chat.completions.create(
        model="sonnet", messages=said(f"[[fail: 529 times=1]] [[say: At last.]] {marker}")
    )
    assert answer.choices[0].message.content == "At last."


def test_a_failure_midway_is_an_error_after_what_had_come(openai: OpenAI, marker: str) -> None:
    stream = openai.chat.completions.create(
        model="sonnet", messages=said(f"[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]] {marker}"), stream=True
    )
    pieces: list[str] = []

    def read() -> None:
        for chunk in stream:
            pieces.append(chunk.choices[0].delta.content or "")

    with pytest.raises(sdk.APIError):
        read()
    assert "".join(pieces)


WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
NOW: ChatCompletionToolParam = {"type": "function", "function": {"name": "now"}}


def test_a_function_is_called_and_its_result_answered(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    messages = said(f'[[tool: get_weather {{"city": "Łódź"}}]] [[say: It is sunny.]] {marker}')
    first = openai.chat.completions.create(model="sonnet", messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message.content is None
    [call] = message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert json.loads(call.function.arguments) == {"city": "Łódź"}
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    history: Any = [*messages, message.to_dict(), result]
    second = openai.chat.completions.create(model="sonnet", messages=history, tools=[WEATHER])
    assert (second.choices[0].message.content, second.choices[0].finish_reason) == ("It is sunny.", "stop")
    blocks = turns(scripted_model.log.containing(marker)[-1]["body"])[-1]["content"]
    assert [(block["type"], block["tool_use_id"]) for block in blocks] == [("tool_result", call.id)]


def test_streamed_calls_are_assembled_by_the_sdk(openai: OpenAI, marker: str) -> None:
    wanted = [{"name": "get_weather", "input": {"city": "Oslo " * 40}}, {"name": "now"}]
    prompt = f"[[tools: {json.dumps(wanted)}]] [[rate: 40]] {marker}"
    with openai.chat.completions.stream(model="sonnet", messages=said(prompt), tools=[WEATHER, NOW]) as stream:
        pieces = [event.arguments_delta for event in stream if event.type == "tool_calls.function.arguments.delta"]
        message = stream.get_final_completion().choices[0].message
    assert len(pieces) > 2
    called = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert called == [("get_weather", {"city": "Oslo " * 40}), ("now", {})]


def test_a_forced_function_is_called(openai: OpenAI, marker: str) -> None:
    choices: list[ChatCompletionToolChoiceOptionParam] = [
        "required",
        {"type": "function", "function": {"name": "now"}},
    ]
    for choice in choices:
        answer = openai.chat.completions.create(
            model="sonnet", messages=said(f"[[tool: now]] {marker}"), tools=[WEATHER, NOW], tool_choice=choice
        )
        assert answer.choices[0].finish_reason == "tool_calls"


class Resident(BaseModel):
    name: str
    age: int | None
    tags: list[str]


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output_is_parsed_by_the_sdk(openai: OpenAI, marker: str, streamed: bool) -> None:
    prompt = said(f'[[json: {{"name": "Zoë", "age": null, "tags": ["a"]}}]] {marker}')
    if streamed:
        with openai.chat.completions.stream(model="sonnet", messages=prompt, response_format=Resident) as stream:
            parsed = stream.get_final_completion().choices[0].message.parsed
    else:
        answer = openai.chat.completions.parse(model="sonnet", messages=prompt, response_format=Resident)
        parsed = answer.choices[0].message.parsed
    assert parsed == Resident(name="Zoë", age=None, tags=["a"])


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_never_fits_its_schema_is_an_error(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str, streamed: bool
) -> None:
    wrong = '[[json: {"name": 5, "age": null, "tags": []}]]'
    scripted_model.answer(marker, *[wrong] * (1 if streamed else 2))
    if not streamed:
        with pytest.raises(sdk.InternalServerError) as caught:
            openai.chat.completions.parse(model="sonnet", messages=said(marker), response_format=Resident)
        assert (caught.value.code, caught.value.response.headers["x-should-retry"]) == ("invalid_output", "false")
        return
    with (
        pytest.raises(sdk.APIError, match="does not satisfy the schema"),
        openai.chat.completions.stream(model="sonnet", messages=said(marker), response_format=Resident) as stream,
    ):
        stream.until_done()


def test_json_mode(openai: OpenAI, marker: str) -> None:
    answer = openai.chat.completions.create(
        model="sonnet", messages=said(f'[[json: {{"a": [1]}}]] {marker}'), response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {"a": [1]}


def test_a_pdf_reaches_the_model(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    data = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7 " + b"x" * 2_000_000).decode()
    content: list[ChatCompletionContentPartParam] = [
        {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}},
        {"type": "text", "text": f"Sum it up. {marker}"},
    ]
    openai.chat.completions.create(model="sonnet", messages=[{"role": "user", "content": content}])
    document = turns(scripted_model.log.containing(marker)[-1]["body"])[-1]["content"][0]
    assert (document["type"], document["title"], len(document["source"]["data"])) == ("document", "a.pdf", 2666680)


def test_thinking_is_told_as_reasoning_content(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    prompt = said(f"[[think: Carry the one.]] [[say: 42]] {marker}")
    asked: dict[str, Any] = {"model": "sonnet", "messages": prompt, "reasoning_effort": "high"}
    answer = openai.chat.completions.create(**asked, extra_body={"include_reasoning": True})
    message = answer.choices[0].message
    assert (message.content, message.model_extra) == ("42", {"reasoning_content": "Carry the one."})
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 4
    stream = openai.chat.completions.create(**asked, stream=True, extra_body={"include_reasoning": True})
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas) == "Carry the one."
    body = scripted_model.log.containing(marker)[0]["body"]
    assert body["output_config"]["effort"] == "high"
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}


def test_a_stream_that_breaks_off_in_a_call_is_an_error(openai: OpenAI, marker: str) -> None:
    prompt = f'[[tool: get_weather {{"city": "{"x" * 400}"}}]] [[rate: 200]] {marker}'
    stream = openai.chat.completions.create(
        model="sonnet", messages=said(prompt), tools=[WEATHER], stream=True, max_tokens=20
    )
    finish = [chunk.choices[0].finish_reason for chunk in stream]
    assert finish[-1] == "length", "a call that does not fit is cut, and the reason says so"


def test_two_hundred_turns_arrive_in_order(openai: OpenAI, scripted_model: ScriptedServer, marker: str) -> None:
    history: list[ChatCompletionMessageParam] = []
    for n in range(100):
        history += [{"role": "user", "content": f"{marker} question {n}"}, {"role": "assistant", "content": f"{n}"}]
    openai.chat.completions.create(model="sonnet", messages=[*history, *said("[[say: ok]] and now?")])
    sent = turns(scripted_model.log.one(marker)["body"])
    assert [turn["content"][0]["text"] for turn in sent[:-1]] == [message["content"] for message in history]
