"""LangChain's ChatOpenAI in its ordinary flows: chat, stream, tools, structured output, images, errors."""

import base64
import json
import os
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="


def model(**fields: Any) -> ChatOpenAI:
    asked = {"model": "sonnet", "max_retries": 0, "timeout": 30, **fields}
    return ChatOpenAI(base_url=os.environ["CCS_URL"] + "/v1", api_key=os.environ["CCS_KEY"], **asked)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class City(BaseModel):
    name: str
    people: int | None = None


def test_chat_with_usage() -> None:
    answer = model().invoke([("system", "Be brief."), ("human", "[[say: Four.]] 2+2?")])
    assert answer.content == "Four."
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] > 0


async def test_it_streams() -> None:
    chunks = [chunk async for chunk in model(stream_usage=True).astream("[[tokens: 40]] [[rate: 50]]")]
    assert sum(bool(chunk.content) for chunk in chunks) > 3
    assert chunks[-1].usage_metadata or chunks[-2].usage_metadata


def test_tools_round_trip() -> None:
    calling = model().bind_tools([add])
    wanted = [{"name": "add", "input": {"a": 1, "b": 2}}, {"name": "add", "input": {"a": 3, "b": 4}}]
    question = HumanMessage(f"[[tools: {json.dumps(wanted)}]] [[say: 10]]")
    first = calling.invoke([question])
    assert [call["args"] for call in first.tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    results = [add.invoke(call) for call in first.tool_calls]
    assert [result.content for result in results] == ["3", "7"]
    assert calling.invoke([question, first, *results]).content == "10"


def test_streamed_tool_calls() -> None:
    whole: AIMessage | None = None
    for chunk in model().bind_tools([add], tool_choice="add").stream('[[tool: add {"a": 1, "b": 2}]]'):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert [call["args"] for call in whole.tool_calls] == [{"a": 1, "b": 2}]


def test_a_result_that_is_an_error() -> None:
    call = {"name": "add", "args": {"a": 1}, "id": "abc", "type": "tool_call"}
    question, result = (
        HumanMessage("[[tool: add]] [[say: ok]]"),
        ToolMessage("no b", tool_call_id="abc", status="error"),
    )
    answer = model().bind_tools([add]).invoke([question, AIMessage("", tool_calls=[call]), result])
    assert answer.content == "ok"


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_it_gets_structured_output(method: str) -> None:
    prompt = '[[json: {"name": "Łódź", "people": 5}]]'
    if method == "function_calling":
        prompt = '[[tool: City {"name": "Łódź", "people": 5}]]'
    assert model().with_structured_output(City, method=method).invoke(prompt) == City(name="Łódź", people=5)


def test_it_sees_images() -> None:
    parts = [
        {"type": "text", "text": "[[say: A dot.]]"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {
            "type": "file",
            "base64": base64.b64encode(b"%PDF-1.7").decode(),
            "mime_type": "application/pdf",
            "filename": "a",
        },
    ]
    assert model().invoke([HumanMessage(parts)]).content == "A dot."


def test_errors_are_its_own() -> None:
    with pytest.raises(openai.AuthenticationError):
        ChatOpenAI(model="sonnet", base_url=os.environ["CCS_URL"] + "/v1", api_key="wrong", max_retries=0).invoke("Hi")
    with pytest.raises(openai.RateLimitError):
        model().invoke("[[fail: 429 retry-after=1]]")
    with pytest.raises(openai.APIError):
        list(model().stream("[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]]"))
    with pytest.raises(openai.APIError, match="does not satisfy the schema"):
        list(model().with_structured_output(City, method="json_schema").stream('[[json: {"name": 5}]]'))
