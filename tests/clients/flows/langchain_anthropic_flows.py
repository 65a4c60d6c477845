"""LangChain's ChatAnthropic in its ordinary flows: chat, stream, tools, structured output, images, errors."""

import os
from typing import Any

import anthropic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="


def model(**fields: Any) -> ChatAnthropic:
    asked = {
        "model": "claude-sonnet-5-5",
        "max_retries": 0,
        "max_tokens": 1000,
        "api_key": os.environ["CCS_KEY"],
        **fields,
    }
    return ChatAnthropic(base_url=os.environ["CCS_URL"], **asked)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class City(BaseModel):
    name: str
    people: int


def test_chat_with_usage() -> None:
    answer = model().invoke([("system", "Be brief."), ("human", "[[say: Four.]] 2+2?")])
    assert answer.content == "Four."
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0


def test_it_streams() -> None:
    chunks = list(model().stream("[[tokens: 40]] [[rate: 50]]"))
    assert sum(bool(chunk.content) for chunk in chunks) > 3
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 40


def test_tools_round_trip() -> None:
    calling = model().bind_tools([add])
    question = HumanMessage('[[tool: add {"a": 1, "b": 2}]] [[say: 3]]')
    first = calling.invoke([question])
    assert [call["args"] for call in first.tool_calls] == [{"a": 1, "b": 2}]
    results = [add.invoke(call) for call in first.tool_calls]
    assert calling.invoke([question, first, *results]).content == "3"


def test_it_gets_structured_output() -> None:
    chosen = model().with_structured_output(City)
    assert chosen.invoke('[[tool: City {"name": "Łódź", "people": 5}]]') == City(name="Łódź", people=5)


def test_it_sees_images() -> None:
    parts: list[Any] = [
        {"type": "text", "text": "[[say: A dot.]]"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
    ]
    assert model().invoke([HumanMessage(parts)]).content == "A dot."


def test_errors_are_its_own() -> None:
    with pytest.raises(anthropic.AuthenticationError):
        model(api_key="wrong").invoke("Hi")
    with pytest.raises(anthropic.RateLimitError):
        model().invoke("[[fail: 429 retry-after=1]]")
