"""The body of a task, read. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from apps.api.openai import fields
from apps.api.openai.content import Media, blocks
from apps.api.openai.fields import Body
from apps.api.openai.messages import conversation
from apps.api.openai.requests import known_model
from apps.api.tasks.files import files
from apps.claude.spec import Content, Turn
from apps.jobs.naming import canonical_tool
from apps.jobs.taskrequests import TaskRequest

MAX_NAMES = 100
MAX_SYSTEM = 100_000
MAX_SCHEMA_BYTES = 64 * 1024
FIELDS = frozenset({
    "description", "prompt", "messages", "system", "model", "allow_tools", "allow_agents", "allow_skills", "timeout",
    "max_cost", "max_turns", "session_id", "output_schema", "files", "webhook_url", "user", "metadata", "stream",
})  # fmt: skip
ONLY_OF_TASKS = frozenset({"description", "allow_tools", "allow_agents", "allow_skills", "max_turns", "max_cost"})
"""What no other endpoint's body has."""
_SAID = ("description", "prompt", "messages")


@dataclass(frozen=True, slots=True)
class TaskReading:
    """A task, and how its answer is wanted."""

    task: TaskRequest
    stream: bool


def read(body: Any, *, default_model: str, longest_seconds: float) -> TaskReading:
    """The task in a parsed body. Raises ApiError, naming the parameter, for what cannot be honoured.

    longest_seconds: what the operator lets any job run.
    """
    if not isinstance(body, dict):
        raise fields.wrong_type("body", "a JSON object")
    for name in sorted(body.keys() - FIELDS):
        raise fields.unsupported(name, f"A task has no parameter '{name[:60]}'.")
    requested = fields.text(body, "model", longest=200) or default_model
    system, prompt = _said(body)
    task = TaskRequest(
        model=known_model(requested).id,
        requested_model=requested,
        prompt=prompt,
        system=system,
        tools=None if body.get("allow_tools") is None else tuple(map(canonical_tool, _names(body, "allow_tools"))),
        agents=_names(body, "allow_agents"),
        skills=_names(body, "allow_skills"),
        max_seconds=_timeout(body, longest_seconds),
        max_cost_microusd=_max_cost(body),
        max_turns=fields.whole(body, "max_turns", least=1),
        session_id=fields.text(body, "session_id", longest=64) or "",
        output_schema=_schema(body),
        files=files(body.get("files")),
        webhook_url=_webhook(body),
        user=fields.text(body, "user", longest=512),
        metadata=fields.metadata(body),
    )
    return TaskReading(task, fields.flag(body, "stream"))


def _said(body: Body) -> tuple[str, Content]:
    """The system prompt and the prompt, from whichever way the client says it."""
    given = [name for name in _SAID if body.get(name) is not None]
    if len(given) != 1:
        raise fields.wrong_value("description", "Say what is to be done in 'description' (or 'prompt' or 'messages').")
    system = fields.text(body, "system", longest=MAX_SYSTEM) or ""
    if given == ["messages"]:
        told, turns, _ = conversation(body["messages"])
        return "\n\n".join(filter(None, (system, told))), (*_before(turns[:-1]), *turns[-1].content)
    prompt = tuple(blocks(body[given[0]], param=given[0], media=Media()))
    if not prompt:
        raise fields.wrong_value(given[0], f"'{given[0]}' says nothing.")
    return system, prompt


def _before(turns: Sequence[Turn]) -> Content:
    """What was said before, as one text: a task begins with one message."""
    if not turns:
        return ()
    said = "\n\n".join(f"{turn.role}: {block.get('text', '[image]')}" for turn in turns for block in turn.content)
    return ({"type": "text", "text": f"<conversation>\n{said}\n</conversation>"},)


def _names(body: Body, name: str) -> tuple[str, ...]:
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise fields.wrong_type(name, "a list of names")
    if len(value) > MAX_NAMES:
        raise fields.wrong_value(name, f"'{name}' takes at most {MAX_NAMES} names.")
    return tuple(dict.fromkeys(value))


def _timeout(body: Body, longest: float) -> float | None:
    seconds = fields.number(body, "timeout", most=float("inf"))
    if seconds is not None and not 1 <= seconds <= longest:
        raise fields.wrong_value("timeout", f"'timeout' is 1 to {longest:g} seconds here.")
    return seconds


def _max_cost(body: Body) -> int | None:
    dollars = fields.number(body, "max_cost", most=1_000_000)
    if dollars is None:
        return None
    microusd = round(dollars * 1_000_000)
    if microusd < 1:
        raise fields.wrong_value("max_cost", "'max_cost' is an amount in US dollars above 0, such as 0.25.")
    return microusd


def _schema(body: Body) -> dict[str, Any] | None:
    value = body.get("output_schema")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise fields.wrong_type("output_schema", "a JSON Schema, an object")
    if value.get("type") != "object":
        raise fields.wrong_value("output_schema", "'output_schema' describes an object: its 'type' is \"object\".")
    if len(json.dumps(value)) > MAX_SCHEMA_BYTES:
        raise fields.wrong_value("output_schema", f"'output_schema' takes at most {MAX_SCHEMA_BYTES // 1024} kB.")
    return value


def _webhook(body: Body) -> str:
    url = fields.text(body, "webhook_url", longest=1000)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and bool(parts.hostname) and not parts.username and (parts.port or 443) > 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(character <= " " for character in url):
        raise fields.wrong_value("webhook_url", "'webhook_url' is an https URL such as https://hooks.example.org/done.")
    return url
