"""What a run asks for besides its words, put into the CLI's request: functions, schema, effort, sampling. Pure.

The rules are the upstream's: no sampling and no forced choice of a tool for a call that thinks, and some models always
think. Where a choice cannot be forced it is asked for in words, and checked when the answer is there (`contract`).
"""

import json
from collections.abc import Mapping
from typing import Any

from apps.claude import catalog
from apps.claude.constraining import constrained
from apps.claude.spec import RunSpec

_MIN_THINKING_BUDGET = 1024
_BUDGETS = {"low": 4_096, "medium": 12_288, "high": 24_576}
"""Tokens of thinking that stand for an effort where a model knows none; higher efforts have the CLI's budget."""
_FORCED = ("any", "tool")
_MAX_STRICT_TOOLS = 20
ANY_OBJECT = {"type": "object"}
"""The schema of an answer that is some JSON object, whichever."""
STRUCTURED_OUTPUTS = "structured-outputs-2025-12-15"
"""The beta header that the CLI 2.1.330 sends with a format or a strict tool."""


def apply(body: dict[str, Any], spec: RunSpec) -> None:
    """Complete the request in place."""
    if spec.tools:
        body["tools"] = _tools(spec)
        if spec.tool_choice:
            body["tool_choice"] = _choice(body, spec)
    if spec.output_schema is not None and (schema := constrained(spec.output_schema)) is not None:
        body["output_config"] = body.get("output_config", {}) | {"format": {"type": "json_schema", "schema": schema}}
    if spec.effort:
        _effort(body, spec.effort)
    if spec.thinking:
        _thinking(body, spec.thinking)
    if _thought_is_lost(body, spec):
        _without_thinking(body)
    if spec.max_tokens is not None:
        clamp_max_tokens(body, spec.max_tokens)
    if spec.stop:
        body["stop_sequences"] = list(spec.stop)
    if spec.temperature is not None or spec.top_p is not None:
        _sampling(body, spec)


def unforced(spec: RunSpec) -> bool:
    """Whether the run forces a choice of tool that its model's upstream will not take as an order."""
    known = catalog.find(spec.model)
    return bool(spec.tools) and forces(spec.tool_choice) and bool(known and known.always_thinks)


def forces(choice: Mapping[str, Any] | None) -> bool:
    """Whether a tool has to be called."""
    return choice is not None and choice.get("type") in _FORCED


def constrains_output(spec: RunSpec) -> bool:
    """Whether the upstream holds the model to the run's schema, or there is none."""
    return spec.output_schema is None or constrained(spec.output_schema) is not None


def note(spec: RunSpec) -> str | None:
    """What has to be said in words behind the newest message, because it cannot be ordered."""
    said = []
    if unforced(spec) and spec.tool_choice is not None:
        name = spec.tool_choice.get("name")
        said.append(f"Answer by calling the tool `{name}`." if name else "Answer by calling at least one of the tools.")
    if spec.output_schema == ANY_OBJECT:
        said.append("Answer with one JSON object and nothing else.")
    elif spec.output_schema is not None and not constrains_output(spec):
        schema = json.dumps(spec.output_schema, ensure_ascii=False)
        said.append(f"Answer with one JSON value that satisfies this JSON Schema, and nothing else:\n{schema}")
    return "\n\n".join(said) or None


def beta(body: Mapping[str, Any]) -> str | None:
    """The upstream's word for what this body needs and the CLI did not ask for."""
    strict = any(tool.get("strict") for tool in body.get("tools") or ())
    return STRUCTURED_OUTPUTS if strict or "format" in (body.get("output_config") or {}) else None


def clamp_max_tokens(body: dict[str, Any], limit: int) -> None:
    """Lower max_tokens to the limit, and the thinking budget, which must be smaller, with it."""
    body["max_tokens"] = min(int(body.get("max_tokens") or limit), limit)
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        if body["max_tokens"] > _MIN_THINKING_BUDGET:
            budget = min(int(thinking.get("budget_tokens") or 0), body["max_tokens"] - 1)
            body["thinking"] = thinking | {"budget_tokens": max(budget, _MIN_THINKING_BUDGET)}
        else:
            _without_thinking(body)


def _tools(spec: RunSpec) -> list[dict[str, Any]]:
    """The tools; strict where the upstream can be, which is not for every schema and not for any number of them."""
    made, strict = [], 0
    for tool in spec.tools:
        schema = constrained(tool["input_schema"]) if tool.get("strict") and strict < _MAX_STRICT_TOOLS else None
        if schema is not None:
            strict += 1
            made.append(tool | {"input_schema": schema})
        else:
            made.append({name: value for name, value in tool.items() if name != "strict"})
    return made


def _choice(body: dict[str, Any], spec: RunSpec) -> dict[str, Any]:
    assert spec.tool_choice is not None
    if not forces(spec.tool_choice):
        return spec.tool_choice
    if not unforced(spec):
        _without_thinking(body)
        return spec.tool_choice
    kept = {name: value for name, value in spec.tool_choice.items() if name == "disable_parallel_tool_use"}
    return {"type": "auto", **kept}


def _effort(body: dict[str, Any], effort: str) -> None:
    """In place of the CLI's own effort, in its note too; as a budget for models that know no effort."""
    for part in (body, *(message for message in body["messages"] if message.get("role") == "system")):
        if isinstance(part.get("output_config"), dict):
            part["output_config"] = part["output_config"] | {"effort": effort}
    thinking = body.get("thinking")
    if "output_config" not in body and isinstance(thinking, dict) and "budget_tokens" in thinking:
        body["thinking"] = thinking | {"budget_tokens": _BUDGETS.get(effort, thinking["budget_tokens"])}


def _thinking(body: dict[str, Any], asked: dict[str, Any]) -> None:
    """As asked, in the form that the CLI uses for this model: newer ones take no budget, older ones nothing else."""
    if asked.get("type") == "disabled":
        _without_thinking(body)
        return
    ours = body.get("thinking")
    if not isinstance(ours, dict):
        return
    taken = ("budget_tokens", "display") if ours.get("type") == "enabled" else ("display",)
    body["thinking"] = ours | {name: asked[name] for name in taken if asked.get(name) is not None}


def _thought_is_lost(body: dict[str, Any], spec: RunSpec) -> bool:
    """Whether results come back for calls whose thinking the client did not keep: no wire but Anthropic's has it.

    Models that think by a budget refuse to go on thinking then; adaptive ones do not mind.
    """
    if (body.get("thinking") or {}).get("type") != "enabled" or len(spec.turns) < 2:
        return False
    if not any(block["type"] == "tool_result" for block in spec.turns[-1].content):
        return False
    return spec.turns[-2].content[0]["type"] not in ("thinking", "redacted_thinking")


def _sampling(body: dict[str, Any], spec: RunSpec) -> None:
    """The upstream takes temperature and top_p only from a call that does not think."""
    _without_thinking(body)
    if spec.temperature is not None:
        body["temperature"] = spec.temperature
    if spec.top_p is not None:
        body["top_p"] = spec.top_p


def _without_thinking(body: dict[str, Any]) -> None:
    body.pop("thinking", None)
    body.pop("context_management", None)  # its only edit clears thinking, and is refused without
