"""LiteLLM's client in its ordinary flows, by its providers `openai` and `anthropic`."""

import json
import os
from typing import Any

import litellm
import pytest

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def ask(content: Any, **fields: Any) -> Any:
    messages = [*fields.pop("history", []), {"role": "user", "content": content}]
    asked = {"model": "openai/sonnet", "num_retries": 0, "timeout": 30, **fields}
    return litellm.completion(
        messages=messages, api_base=os.environ["CCS_URL"] + "/v1", api_key=os.environ["CCS_KEY"], **asked
    )


def test_chat_with_usage() -> None:
    answer = ask("[[say: Four.]]")
    assert answer.choices[0].message.content == "Four."
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_it_streams() -> None:
    chunks = list(ask("[[tokens: 40]] [[rate: 50]]", stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].message.content
    assert whole.usage.completion_tokens == 40


def test_tools_round_trip() -> None:
    question = '[[tool: get_weather {"city": "Oslo"}]] [[say: Sunny.]]'
    first = ask(question, tools=TOOLS, tool_choice="required").choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    history = [{"role": "user", "content": question}, first.message.model_dump()]
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    second = litellm.completion(
        model="openai/sonnet",
        messages=[*history, result],
        tools=TOOLS,
        api_base=os.environ["CCS_URL"] + "/v1",
        api_key=os.environ["CCS_KEY"],
    )
    assert second.choices[0].message.content == "Sunny."


def test_streamed_tool_calls() -> None:
    chunks = list(ask('[[tool: get_weather {"city": "Oslo"}]]', tools=TOOLS, stream=True))
    (call,) = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


def test_it_gets_structured_output() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
    answer = ask('[[json: {"city": "Oslo"}]]', response_format=form)
    assert json.loads(answer.choices[0].message.content) == {"city": "Oslo"}
    answer = ask('[[json: {"a": 1}]]', response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"a": 1}


def test_it_sees_images() -> None:
    parts = [
        {"type": "text", "text": "[[say: A dot.]]"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    assert ask(parts).choices[0].message.content == "A dot."


def test_errors_are_its_own() -> None:
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(
            model="openai/sonnet",
            messages=[{"role": "user", "content": "Hi"}],
            api_base=os.environ["CCS_URL"] + "/v1",
            api_key="wrong",
            num_retries=0,
        )
    with pytest.raises(litellm.RateLimitError):
        ask("[[fail: 429]]", max_retries=0)
    with pytest.raises(litellm.BadRequestError):
        ask("Hi", logprobs=True)
    with pytest.raises(Exception, match=r"(?i)overloaded|529"):
        list(ask("[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]]", stream=True, max_retries=0))
