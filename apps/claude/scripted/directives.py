"""The stage directions in a prompt: `[[name]]` or `[[name: argument]]`, anywhere in the last user message.

| directive | the scripted model |
|---|---|
| `[[say: text]]` | answers that text (several are joined by a newline) |
| `[[tokens: 200]]` | answers exactly 200 numbered tokens |
| `[[echo]]` | answers the user's text without the directives |
| `[[json: {…}]]` | answers that JSON |
| `[[think: text]]` | thinks first, in the first answer of a chain |
| `[[tool: Bash {"command":"ls"}]]` | asks for a tool; the n-th such directive is the n-th answer of a chain |
| `[[tools: [{"name":…,"input":{…}}, …]]]` | asks for several tools in one answer |
| `[[rate: 50]]` | sends 50 tokens a second (0: all at once) |
| `[[piece: 4]]` | puts that many tokens in one delta (default: 1 when paced, else 16) |
| `[[delay: 5]]` | waits so many seconds before the response headers |
| `[[first: 1.0]]` | waits so many seconds between `message_start` and the first token |
| `[[ping: 0.5]]` | sends a ping that often while it waits |
| `[[fail: 529 retry-after=7]]` | fails with that status; also `type=…`, `message="…"` |
| `[[fail: 529 times=2]]` | fails only the first so many times this message is asked |
| `[[fail: 529 after=10]]` | sends an `error` event after so many tokens |
| `[[cut: 10]]` | closes the connection after so many tokens |
| `[[hang: 10]]` | never continues after so many tokens (default 1; 0: nothing after `message_start`) |
| `[[stop_reason: max_tokens]]` | ends with that stop reason |
| `[[refuse]]` | ends with stop reason `refusal` |
| `[[usage: {"input_tokens": 5}]]` | reports these counts instead of its own |

In a chain, failures, cuts, hangs and refusals belong to the last answer. An unknown name is ordinary text; a known name
with an argument that makes no sense raises `BadDirective`, which the server answers with a 400.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.claude.scripted import tokens

_OPENING = re.compile(
    r"\[\[\s*(say|tokens|echo|json|think|tools|tool|rate|piece|delay|first|ping|fail|cut|hang|stop_reason|refuse|usage)"
    r"\s*(?::\s*|(?=\]\]))"
)
_OPTION = re.compile(r"(retry-after|type|message|after|times)=(\"[^\"]*\"|\S+)")
_JSON = json.JSONDecoder()
_CLOSING = re.compile(r"\s*\]\]")
_TOOL_NAME = re.compile(r"[\w.:-]+\s*")


class BadDirective(ValueError):
    """A directive's argument makes no sense; the message says which and why."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool the scripted model asks for."""

    name: str
    input: dict[str, object]


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error, or with `after_tokens` an `error` event in the middle of a stream."""

    status: int
    type: str | None = None
    message: str | None = None
    retry_after: str | None = None
    after_tokens: int | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Everything one user message tells the scripted model to do; `plain` is the message without its directives."""

    plain: str = ""
    say: tuple[str, ...] = ()
    tokens: int | None = None
    echo: bool = False
    think: str | None = None
    tool_turns: tuple[tuple[ToolCall, ...], ...] = ()
    rate: float | None = None
    piece: int | None = None
    delay_seconds: float = 0.0
    first_seconds: float = 0.0
    ping_seconds: float = 0.0
    failure: Failure | None = None
    cut_after_tokens: int | None = None
    hang_after_tokens: int | None = None
    stop_reason: str | None = None
    refuse: bool = False
    usage: dict[str, object] = field(default_factory=dict)


# A reader takes the message and where the argument starts, notes what it says, and returns where the message goes on.
_Notes = dict[str, Any]
_Reader = Callable[[_Notes, str, int], int]


def parse(text: str) -> Script:
    """What a user message asks for. Raises `BadDirective`."""
    notes: _Notes = {}
    plain: list[str] = []
    position = searched = 0
    while (start := text.find("[[", searched)) >= 0:
        opening = _OPENING.match(text, start)
        if opening is None:
            searched = start + 2
            continue
        plain.append(text[position:start])
        name = opening[1]
        try:
            position = searched = _READERS[name](notes, text, opening.end())
        except (ValueError, KeyError) as error:
            raise BadDirective(f"scripted model: cannot read [[{name}: …]]: {error}") from error
    plain.append(text[position:])
    return Script(plain="".join(plain).strip(), **notes)


def _text(text: str, start: int) -> tuple[str, int]:
    """The argument up to its own `]]`, inner `[[…]]` included, and where the text goes on."""
    depth, position = 1, start
    while depth:
        end = text.find("]]", position)
        if end < 0:
            raise ValueError("]] is missing")
        inner = text.find("[[", position, end)
        depth, position = (depth + 1, inner + 2) if inner >= 0 else (depth - 1, end + 2)
    return text[start : position - 2].strip(), position


def _json(text: str, start: int) -> tuple[object, int]:
    """The JSON argument and where the text goes on; brackets inside the JSON do not matter."""
    value, end = _JSON.raw_decode(text, start)
    closing = _CLOSING.match(text, end)
    if closing is None:
        raise ValueError("]] is missing after the JSON")
    return value, closing.end()


def _value(field_name: str, convert: Callable[[str], object]) -> _Reader:
    def read(notes: _Notes, text: str, start: int) -> int:
        argument, end = _text(text, start)
        notes[field_name] = convert(argument)
        return end

    return read


def _say(notes: _Notes, text: str, start: int) -> int:
    argument, end = _text(text, start)
    notes["say"] = (*notes.get("say", ()), argument)
    return end


def _say_json(notes: _Notes, text: str, start: int) -> int:
    value, end = _json(text, start)
    notes["say"] = (*notes.get("say", ()), json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    return end


def _tool(notes: _Notes, text: str, start: int) -> int:
    name = _TOOL_NAME.match(text, start)
    if name is None:
        raise ValueError("the tool has no name")
    if text.startswith("]]", name.end()):
        call, end = ToolCall(name[0].strip(), {}), name.end() + 2
    else:
        value, end = _json(text, name.end())
        call = _call({"name": name[0].strip(), "input": value})
    notes["tool_turns"] = (*notes.get("tool_turns", ()), (call,))
    return end


def _tools(notes: _Notes, text: str, start: int) -> int:
    values, end = _json(text, start)
    if not isinstance(values, list):
        raise ValueError("a list of tool calls is expected")
    notes["tool_turns"] = (*notes.get("tool_turns", ()), tuple(_call(value) for value in values))
    return end


def _call(value: object) -> ToolCall:
    if not isinstance(value, dict) or not isinstance(value.get("input", {}), dict):
        raise ValueError('a tool call is {"name": …, "input": {…}}')
    return ToolCall(str(value["name"]), value.get("input", {}))


def _usage(notes: _Notes, text: str, start: int) -> int:
    value, end = _json(text, start)
    if not isinstance(value, dict):
        raise ValueError("an object is expected")
    notes["usage"] = value
    return end


def _failure(argument: str) -> Failure:
    status, _, rest = argument.partition(" ")
    options = {name: value.strip('"') for name, value in _OPTION.findall(rest)}
    return Failure(
        status=int(status),
        type=options.get("type"),
        message=options.get("message"),
        retry_after=options.get("retry-after"),
        after_tokens=int(options["after"]) if "after" in options else None,
        times=int(options["times"]) if "times" in options else None,
    )


def _count(argument: str) -> int:
    if not 0 <= (number := int(argument)) <= tokens.MAX_NUMBERED:
        raise ValueError(f"a number from 0 to {tokens.MAX_NUMBERED} is expected")
    return number


def _seconds(argument: str) -> float:
    if not 0 <= (number := float(argument)) < float("inf"):
        raise ValueError("a number that is not negative is expected")
    return number


_READERS: dict[str, _Reader] = {
    "say": _say,
    "json": _say_json,
    "tokens": _value("tokens", _count),
    "echo": _value("echo", lambda _: True),
    "think": _value("think", str),
    "tool": _tool,
    "tools": _tools,
    "rate": _value("rate", _seconds),
    "piece": _value("piece", lambda argument: max(1, _count(argument))),
    "delay": _value("delay_seconds", _seconds),
    "first": _value("first_seconds", _seconds),
    "ping": _value("ping_seconds", _seconds),
    "fail": _value("failure", _failure),
    "cut": _value("cut_after_tokens", _count),
    "hang": _value("hang_after_tokens", lambda argument: _count(argument or "1")),
    "stop_reason": _value("stop_reason", str),
    "refuse": _value("refuse", lambda _: True),
    "usage": _usage,
}
