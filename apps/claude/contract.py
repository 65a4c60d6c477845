"""What an answer was asked to be: of a schema, a call of a tool, with arguments that are right. Pure.

The upstream holds the model to it where it can (`options`); everything is held against it here, whatever the upstream
can, before the job is called completed.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from apps.claude import options, schemas
from apps.claude.spec import Content, Event, Outcome, RunSpec, ToolUse, Turn

_UNFINISHED = frozenset({"max_tokens", "model_context_window_exceeded", "refusal", "pause_turn"})
"""Stop reasons of an answer that is told as it is: the client learns from the reason that it is not whole."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer is what it was asked to be: `value` is what satisfies the schema, `text` its JSON without wrapping."""

    value: Any = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """It is not."""

    reason: str


def binds(spec: RunSpec) -> bool:
    """Whether there is anything to hold the answer against."""
    return spec.output_schema is not None or options.forces(spec.tool_choice) or any(map(_is_strict, spec.tools))


def held(spec: RunSpec) -> bool:
    """Whether the answer is not told before it was judged: nobody reads along, or the upstream promises nothing."""
    if not binds(spec):
        return False
    return not spec.streamed or not options.constrains_output(spec) or options.unforced(spec)


def settles(event: Event, spec: RunSpec) -> bool:
    """Whether this event shows that a held answer will do, so that the rest can be told as it comes."""
    return spec.streamed and isinstance(event, ToolUse) and event.name in _choosable(spec)


def judge(spec: RunSpec, outcome: Outcome) -> Kept | Broken:
    """Hold a completed answer against what was asked for."""
    if outcome.stop_reason in _UNFINISHED:
        return Kept()
    calls = [block for block in outcome.content if block["type"] == "tool_use"]
    if options.forces(spec.tool_choice) and not calls:
        return Broken("it called no tool, though one had to be called")
    for call in calls:
        if reason := _wrong_call(spec, call):
            return Broken(reason)
    if spec.output_schema is None or calls:
        return Kept()
    return _structured(spec.output_schema, outcome.text)


def repair(spec: RunSpec, outcome: Outcome, reason: str) -> RunSpec:
    """The run that asks once more, with what is wrong."""
    said = outcome.content or (({"type": "text", "text": outcome.text},) if outcome.text.strip() else ())
    plea = f"This is not what was asked for: {reason}. Answer once more, and keep to what was asked for."
    calls = [block["id"] for block in said if block["type"] == "tool_use"]
    results: Content = tuple(
        {"type": "tool_result", "tool_use_id": call, "content": plea, "is_error": True} for call in calls
    )
    told: Content = results or ({"type": "text", "text": plea},)
    if not said:
        *earlier, last = spec.turns
        return replace(spec, turns=(*earlier, Turn("user", (*last.content, *told))))
    return replace(spec, turns=(*spec.turns, Turn("assistant", tuple(map(_sendable, said))), Turn("user", told)))


def _wrong_call(spec: RunSpec, call: dict[str, Any]) -> str | None:
    name = call["name"]
    if name not in _choosable(spec):
        return f"it called the tool '{name}', which it was not to call"
    if "unparsed" in call:
        return f"the arguments of '{name}' are no JSON object"
    for tool in spec.tools:
        if tool["name"] == name and _is_strict(tool):
            wrong = _fault(tool["input_schema"], call["input"])
            return f"the arguments of '{name}' do not satisfy its schema: {wrong}" if wrong else None
    return None


def _choosable(spec: RunSpec) -> set[str]:
    choice = spec.tool_choice or {}
    return {choice["name"]} if choice.get("type") == "tool" else {tool["name"] for tool in spec.tools}


def _structured(schema: dict[str, Any], answer: str) -> Kept | Broken:
    text = _unwrapped(answer)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Broken("the answer is not JSON and nothing else")
    wrong = _fault(schema, value)
    return Broken(f"the answer does not satisfy the schema: {wrong}") if wrong else Kept(value, text)


def _fault(schema: dict[str, Any], value: object) -> str | None:
    try:
        return schemas.fault(schema, value)
    except schemas.TooComplex:
        return "holding it against the schema takes too long"


def _unwrapped(text: str) -> str:
    """Without the fence of a code block around it, which models like to put there."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3].strip()
    return text


def _is_strict(tool: dict[str, Any]) -> bool:
    return tool.get("strict") is True


def _sendable(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "unparsed"}
