"""OpenAI's functions and the choice among them as the Messages API has them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.api.openai import fields
from apps.api.openai.fields import Body
from apps.claude import schemas
from apps.claude.spec import Turn

MAX_TOOLS = 128
MAX_DESCRIPTION = 16_384
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Tool = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tooling:
    """The functions of a request, and which of them are to be called."""

    tools: tuple[Tool, ...] = ()
    choice: dict[str, Any] | None = None


def tooling(body: Body, turns: Iterable[Turn]) -> Tooling:
    """What the body says about functions. Raises ApiError.

    A conversation that has calls but no functions any more gets these declared by name and forbidden: the upstream
    takes no call of a function that it does not know.
    """
    tools = _tools(body.get("tools"))
    choice, allowed = _choice(body.get("tool_choice"), [tool["name"] for tool in tools])
    if not tools:
        past = _called(turns)
        return Tooling(tuple(map(_known_by_name, past)), {"type": "none"}) if past else Tooling()
    if body.get("parallel_tool_calls") is not None and not fields.flag(body, "parallel_tool_calls"):
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice = choice | {"disable_parallel_tool_use": True}
    return Tooling(tuple(tool for tool in tools if tool["name"] in allowed), choice)


def _tools(value: Any) -> list[Tool]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise fields.wrong_type("tools", "a list of tools")
    if len(value) > MAX_TOOLS:
        raise fields.wrong_value("tools", f"'tools' takes at most {MAX_TOOLS} tools.")
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(value)]
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["name"] in names:
            raise fields.wrong_value(f"tools[{index}].function.name", f"There are two tools named '{tool['name']}'.")
        names.add(tool["name"])
    return tools


def _tool(value: Any, at: str) -> Tool:
    if not isinstance(value, dict):
        raise fields.wrong_type(at, "an object")
    if value.get("type") != "function":
        kind = str(value.get("type"))[:100]
        raise fields.unsupported(f"{at}.type", f"Tools are functions of the client here; '{kind}' is not supported.")
    function, at = value.get("function"), f"{at}.function"
    if not isinstance(function, dict):
        raise fields.wrong_type(at, "an object")
    description = fields.text(function, "description", longest=MAX_DESCRIPTION, param=f"{at}.description")
    tool: Tool = {"name": name_of(function.get("name"), f"{at}.name")}
    if description:
        tool["description"] = description
    tool["input_schema"] = _parameters(function.get("parameters"), f"{at}.parameters")
    if fields.flag(function, "strict", param=f"{at}.strict"):
        tool["strict"] = True
    return tool


def name_of(value: Any, param: str) -> str:
    """A function's name. Raises ApiError."""
    if not isinstance(value, str):
        raise fields.wrong_type(param, "a string")
    if not NAME.fullmatch(value):
        raise fields.wrong_value(param, "A function's name is 1 to 64 letters, digits, underscores and hyphens.")
    return value


def _parameters(value: Any, at: str) -> dict[str, Any]:
    """The schema of the arguments: an object's, which without any is empty."""
    if value is None or value == {}:
        return {"type": "object", "properties": {}}
    schema = {"type": "object", **value} if isinstance(value, dict) else value
    if reason := schemas.unusable(schema):
        raise fields.wrong_value(at, f"The parameters are no JSON Schema that can be used: {reason}.")
    if schema["type"] != "object":
        raise fields.wrong_value(f"{at}.type", "A function's parameters are an object: 'type' must be 'object'.")
    return schema


def _choice(value: Any, names: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """The choice, and the names of the functions that stay."""
    if value is None or value == "auto":
        return None, names
    if value == "none":
        return {"type": "none"}, names
    if not names:
        raise fields.wrong_value("tool_choice", "'tool_choice' is only allowed when 'tools' are given.")
    if value == "required":
        return {"type": "any"}, names
    match value:
        case {"type": "function", "function": {"name": str(name)}} if name in names:
            return {"type": "tool", "name": name}, names
        case {"type": "function", "function": {"name": str(name)}}:
            raise fields.wrong_value("tool_choice", f"Tool choice '{name[:100]}' is not one of the 'tools'.")
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(allowed)}}:
            return ({"type": "any"} if mode == "required" else None), _allowed(allowed, names)
    raise fields.wrong_value(
        "tool_choice", '\'tool_choice\' is none, auto, required, or {"type": "function", "function": {"name": …}}.'
    )


def _allowed(value: list[Any], names: list[str]) -> list[str]:
    wanted = [_choice(tool, names)[0] for tool in value]
    kept = [choice["name"] for choice in wanted if choice and choice["type"] == "tool"]
    if not kept or len(kept) != len(value):
        raise fields.wrong_value("tool_choice.allowed_tools.tools", "The allowed tools are a list of functions.")
    return kept


def _called(turns: Iterable[Turn]) -> list[str]:
    blocks = (block for turn in turns for block in turn.content)
    return list(dict.fromkeys(block["name"] for block in blocks if block["type"] == "tool_use"))


def _known_by_name(name: str) -> Tool:
    return {"name": name, "input_schema": {"type": "object"}}
