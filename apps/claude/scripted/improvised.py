"""Answers to prompts without stage directions that ask for more than words: a call of a tool, JSON of a schema. Pure.

What is filled in is taken from the prompt where something in it fits, so that a demo, and the test suites of other
people's clients, see calls and values that make sense.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from apps.claude.scripted.directives import ToolCall

_FORCED_IN_WORDS = re.compile(r"Answer by calling (?:the tool `([\w-]+)`|at least one of the tools)")
_QUOTED = re.compile(r"'([^']+)'|\"([^\"]+)\"|“([^”]+)”")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MAX_DEPTH = 12


def tool_call(body: Mapping[str, object], prompt: str) -> ToolCall | None:
    """The call that this prompt is answered with, None where words will do."""
    tools = [tool for tool in _listed(body.get("tools")) if isinstance(tool.get("input_schema"), dict)]
    choice = body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else "auto"
    if not tools or kind == "none":
        return None
    said = _FORCED_IN_WORDS.search(prompt)
    name = said[1] if said else choice.get("name") if isinstance(choice, dict) else None
    forced = kind in ("any", "tool") or said is not None
    wanted = [tool for tool in tools if tool.get("name") == name] if name else tools
    chosen = next((tool for tool in wanted if _is_meant(str(tool.get("name")), prompt)), wanted[0] if wanted else None)
    if chosen is None or not (forced or _is_meant(str(chosen["name"]), prompt)):
        return None
    filled = value(chosen["input_schema"], prompt)
    return ToolCall(str(chosen["name"]), filled if isinstance(filled, dict) else {})


def output(body: Mapping[str, object], prompt: str) -> str | None:
    """The JSON that this request's format asks for, None where it has none."""
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    schema = form.get("schema") if isinstance(form, dict) else _schema_in_words(prompt)
    return None if schema is None else json.dumps(value(schema, prompt), ensure_ascii=False, separators=(",", ":"))


def value(schema: Any, prompt: str) -> object:
    """A value of the schema, as far as a few rules can make one."""
    return _value(schema, schema, "answer", prompt, 0)


def _value(schema: Any, root: Any, name: str, prompt: str, depth: int) -> object:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_target(root, reference), root, name, prompt, depth + 1)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return _value(schema[several][0], root, name, prompt, depth + 1)
    kind = schema.get("type", "object")
    return _plain(kind[0] if isinstance(kind, list) else kind, schema, root, name, prompt, depth)


def _plain(kind: str, schema: dict[str, Any], root: Any, name: str, prompt: str, depth: int) -> object:
    match kind:
        case "object":
            parts = schema.get("properties", {})
            return {key: _value(part, root, key, prompt, depth + 1) for key, part in parts.items()}
        case "array":
            return [_value(schema.get("items"), root, name, prompt, depth + 1)] if "items" in schema else []
        case "integer" | "number":
            found = _NUMBER.search(prompt)
            number = float(found[0]) if found else float(schema.get("minimum", 1))
            return int(number) if kind == "integer" else number
        case "boolean":
            return True
        case "string":
            quoted = _QUOTED.search(prompt)
            return next(filter(None, quoted.groups())) if quoted else f"some {name.replace('_', ' ')}"
    return None


def _is_meant(name: str, prompt: str) -> bool:
    """Whether the prompt has a word of the tool's name. The CLI's own tools, in capitals, are never meant by chance."""
    words = {word for word in re.split(r"[_-]+", name) if len(word) > 3} or {name}
    return name[:1].islower() and not name.startswith("mcp__") and any(word in prompt.lower() for word in words)


def _schema_in_words(prompt: str) -> object:
    """The schema that our own egress puts behind a prompt where the upstream cannot constrain it."""
    if "Answer with one JSON object and nothing else." in prompt:
        keys = [key or other for key, other, _ in _QUOTED.findall(prompt)]
        return {"type": "object", "properties": {key: {"const": f"some {key}"} for key in keys}}
    _, told, schema = prompt.partition("satisfies this JSON Schema, and nothing else:\n")
    return json.loads(schema) if told else None


def _target(root: Any, reference: str) -> object:
    found = root
    for step in reference.split("/")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _listed(tools: object) -> Iterable[dict[str, Any]]:
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
