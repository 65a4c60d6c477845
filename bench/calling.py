"""Function calling and structured output: on live processes over HTTP, and the same on a cold CLI, in one run."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from typing import Any

import aiohttp

from apps.claude import catalog
from bench.report import Report, median, ms
from bench.rig import Target

_SAMPLES, _COLD_SAMPLES = 40, 7
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
_VALUE = '{"city": "Oslo", "people": 717710}'
_TOOL = {"type": "function", "function": {"name": "get_city", "description": "A city", "parameters": _SCHEMA}}
_CALL = f"[[tool: get_city {_VALUE}]] [[say: Oslo it is.]]"


async def calling(target: Target, upstream: str, report: Report) -> None:
    """A call and the answer to its result; an answer that satisfies a schema."""
    cold_trip = median([_cold_call(upstream) + _cold_result(upstream) for _ in range(_COLD_SAMPLES)])
    cold_output = median([_cold_output(upstream) for _ in range(_COLD_SAMPLES)])
    async with target.session() as session:
        for _ in range(10):
            await _round_trip(session)
            await _output(session)
        trip = median([await _round_trip(session) for _ in range(_SAMPLES)])
        output = median([await _output(session) for _ in range(_SAMPLES)])
    report.add("function call and result, cold CLI", ms(cold_trip))
    _compare(report, "function call and result, over HTTP", trip, cold_trip)
    report.add("structured output, cold CLI with --json-schema", ms(cold_output))
    _compare(report, "structured output, over HTTP", output, cold_output)


def _compare(report: Report, name: str, ours: float, cold: float) -> None:
    report.add(name, f"{ms(ours)} ({ours / cold:.2f} × cold)", "≤ 0.25 × cold", ours <= 0.25 * cold)


async def _round_trip(session: aiohttp.ClientSession) -> float:
    """Seconds for the call and for the answer to its result."""
    began = time.perf_counter()
    messages: list[dict[str, Any]] = [{"role": "user", "content": _CALL}]
    asked = await _post(session, {"messages": messages, "tools": [_TOOL]})
    (call,) = asked["tool_calls"]
    messages += [asked, {"role": "tool", "tool_call_id": call["id"], "content": "It exists."}]
    answered = await _post(session, {"messages": messages, "tools": [_TOOL]})
    seconds = time.perf_counter() - began
    assert json.loads(call["function"]["arguments"]) == json.loads(_VALUE)
    assert answered["content"] == "Oslo it is."
    return seconds


async def _output(session: aiohttp.ClientSession) -> float:
    """Seconds for an answer that was held against its schema."""
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": _SCHEMA, "strict": True}}
    messages = [{"role": "user", "content": f"[[json: {_VALUE}]]"}]
    began = time.perf_counter()
    answered = await _post(session, {"messages": messages, "response_format": form})
    seconds = time.perf_counter() - began
    assert json.loads(answered["content"]) == json.loads(_VALUE)
    return seconds


async def _post(session: aiohttp.ClientSession, fields: dict[str, Any]) -> dict[str, Any]:
    async with session.post("/v1/chat/completions", json={"model": "sonnet", **fields}) as response:
        answer = await response.json()
        assert response.status == 200, answer
        message: dict[str, Any] = answer["choices"][0]["message"]
        return message


def _cold_call(upstream: str) -> float:
    """Until a fresh CLI has told a whole call. It knows no function: declaring some would only take it longer."""
    return _cold(upstream, _CALL, '"stop_reason":"tool_use"')


def _cold_result(upstream: str) -> float:
    """Until a fresh CLI has told the answer to what stands for the result."""
    return _cold(upstream, "[[say: Oslo it is.]]", '"stop_reason":"end_turn"')


def _cold_output(upstream: str) -> float:
    """Until a fresh CLI has told its structured output."""
    prompt = f"[[tool: StructuredOutput {_VALUE}]]"
    return _cold(upstream, prompt, '"structured_output":{', "--json-schema", json.dumps(_SCHEMA))


def _cold(upstream: str, prompt: str, until: str, *more: str) -> float:
    home = tempfile.mkdtemp(prefix="ccs-cold-")
    environ = {"PATH": os.environ["PATH"], "HOME": home, "ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "dummy"}
    environ |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    flags = "--output-format stream-json --verbose --include-partial-messages --model sonnet"
    command = [str(catalog.locate_cli(None)), "-p", prompt, *flags.split(), "--tools", "", *more]
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if until in line:
                    return time.perf_counter() - began
            raise RuntimeError(f"the cold CLI never told {until}")
        finally:
            process.kill()
            shutil.rmtree(home, ignore_errors=True)
