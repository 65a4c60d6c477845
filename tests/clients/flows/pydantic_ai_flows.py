"""pydantic-ai in its ordinary flows: agents with tools, typed results, streams, images, errors."""

import base64
import os
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


class City(BaseModel):
    name: str
    people: int | None = None


def agent(**fields: Any) -> Agent[None, Any]:
    provider = OpenAIProvider(base_url=os.environ["CCS_URL"] + "/v1", api_key=os.environ["CCS_KEY"])
    return Agent(OpenAIChatModel("sonnet", provider=provider), retries=0, **fields)


async def test_chat_with_usage() -> None:
    result = await agent(instructions="Be brief.").run("[[say: Four.]]")
    assert result.output == "Four."
    usage = result.usage if not callable(result.usage) else result.usage()
    assert usage.output_tokens > 0


async def test_it_streams() -> None:
    async with agent().run_stream("[[tokens: 40]] [[rate: 50]]") as stream:
        parts = [part async for part in stream.stream_text(delta=True, debounce_by=None)]
    assert len(parts) > 3


async def test_an_agent_calls_its_tools_and_goes_on() -> None:
    working, asked = agent(), []

    @working.tool_plain
    def get_weather(city: str) -> str:
        """Weather of a city."""
        asked.append(city)
        return "sunny"

    prompt = '[[tool: get_weather {"city": "Oslo"}]] [[tool: get_weather {"city": "Lima"}]] [[say: Sunny in both.]]'
    result = await working.run(prompt)
    assert (result.output, asked) == ("Sunny in both.", ["Oslo", "Lima"])


async def test_it_streams_tools() -> None:
    working = agent()

    @working.tool_plain
    def now() -> str:
        """What time it is."""
        return "noon"

    async with working.run_stream("[[tool: now]] [[say: Noon.]]") as stream:
        assert await stream.get_output() == "Noon."


@pytest.mark.parametrize("how", [ToolOutput, NativeOutput])
async def test_typed_results(how: Any) -> None:
    value = '{"name": "Łódź", "people": 5}'
    prompt = f"[[tool: final_result {value}]]" if how is ToolOutput else f"[[json: {value}]]"
    result = await agent(output_type=how(City)).run(prompt)
    assert result.output == City(name="Łódź", people=5)


async def test_it_sees_images() -> None:
    result = await agent().run(["[[say: A dot.]]", BinaryContent(PNG, media_type="image/png")])
    assert result.output == "A dot."


async def test_errors_are_its_own() -> None:
    with pytest.raises(ModelHTTPError) as caught:
        await agent().run("[[fail: 400]]")
    assert caught.value.status_code == 400
    with pytest.raises(Exception, match=r"(?i)overloaded"):
        async with agent().run_stream("[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]]") as stream:
            await stream.get_output()
