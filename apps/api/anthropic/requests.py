"""A request of the Messages API, read. Pure.

The engine speaks the Messages API itself, so most of it only has to be checked. What cannot be honoured is refused.
"""

from dataclasses import dataclass
from typing import Any, Literal

from apps.api.anthropic.content import Block, blocks
from apps.api.openai import fields
from apps.api.openai.fields import Body, unsupported, wrong_type, wrong_value
from apps.api.openai.requests import known_model, session_of
from apps.claude.catalog import ModelInfo
from apps.claude.spec import Turn
from apps.jobs.conversations import NOTHING_SAID, Conversation
from apps.jobs.requests import ChatRequest

MAX_MESSAGES = 2000
HONOURED = frozenset(
    {
        *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p"),
        *("tools", "tool_choice", "thinking", "metadata", "output_config", "output_format"),
        "session_id",  # ours: see conversations
    }
)
IGNORED = frozenset({"context_management", "diagnostics", "service_tier", "inference_geo", "speed", "cache_control"})
"""Hints and bookkeeping: the answer is a right one without them. They are listed in `x-ignored-params`."""
_MIN_THINKING_TOKENS = 1024
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A request, and how its answer is wanted."""

    chat: ChatRequest
    stream: bool
    thinking: bool
    """Whether blocks of thinking belong into the answer."""
    ignored: tuple[str, ...]


def read(body: Any, *, counting: bool = False, earlier: Conversation = NOTHING_SAID) -> Reading:
    """The request in a parsed body, behind what was said earlier. Raises ApiError, naming the parameter.

    `counting`: nothing will be answered.
    """
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object")
    ignored = _ignored(body)
    requested = fields.text(body, "model", longest=200)
    if not requested:
        raise wrong_value("model", "model: Field required")
    model = known_model(requested)
    max_tokens = fields.whole(body, "max_tokens", least=1)
    if max_tokens is None and not counting:
        raise wrong_value("max_tokens", "max_tokens: Field required")
    tools = _tools(body)
    effort, schema = _output(body, model)
    thinking = _thinking(body, max_tokens)
    chat = ChatRequest(
        model=model.id,
        requested_model=requested,
        system=_system(body.get("system")),
        turns=(*earlier.turns, *conversation(body.get("messages"))),
        max_tokens=max_tokens,
        stop=fields.strings(body, "stop_sequences", most=32),
        temperature=_sampling(body, "temperature", model),
        top_p=_sampling(body, "top_p", model),
        user=_user(body),
        tools=tools,
        tool_choice=_choice(body, tools),
        output_schema=schema,
        effort=effort,
        thinking=thinking,
        streamed=fields.flag(body, "stream"),
        session_id=session_of(body),
        follows=earlier.job_id,
    )
    shows = thinking is not None and thinking["type"] != "disabled"
    return Reading(chat, chat.streamed, shows, tuple(sorted(ignored)))


def conversation(value: Any) -> tuple[Turn, ...]:
    """The turns: neighbours of one role are one turn, and notes of the role `system` belong to the user's."""
    if not isinstance(value, list):
        raise wrong_type("messages", "a list of messages")
    if not 1 <= len(value) <= MAX_MESSAGES:
        raise wrong_value("messages", f"'messages' takes 1 to {MAX_MESSAGES} messages, not {len(value)}.")
    turns: list[tuple[Role, list[Block]]] = []
    for index, message in enumerate(value):
        role, content = _message(message, f"messages[{index}]")
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(content)
        elif content:
            turns.append((role, content))
    if not turns or turns[0][0] != "user":
        raise wrong_value("messages", "A conversation begins with a message of the user that says something.")
    if turns[-1][0] != "user":
        message = "The last message must be the user's: an assistant message cannot be continued here (prefill)."
        raise unsupported(f"messages[{len(value) - 1}]", message)
    return tuple(Turn(role, tuple(content)) for role, content in turns)


def _message(message: Any, at: str) -> tuple[Role, list[Block]]:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object")
    match message.get("role"):
        case "user" | "system":
            role: Role = "user"
        case "assistant":
            role = "assistant"
        case _:
            raise wrong_value(f"{at}.role", "A message's role is user or assistant.")
    return role, list(blocks(message.get("content"), param=f"{at}.content", role=role))


def _ignored(body: Body) -> set[str]:
    given = {name for name, value in body.items() if value is not None}
    if unknown := sorted(given - HONOURED - IGNORED):
        raise unsupported(unknown[0], f"'{unknown[0]}' is not supported here; leave it out.")
    return given & IGNORED


def _system(value: Any) -> str:
    if value is None:
        return ""
    return "\n\n".join(block["text"] for block in blocks(value, param="system", role="system"))


def _sampling(body: Body, name: str, model: ModelInfo) -> float | None:
    value = fields.number(body, name, most=1)
    if value is None or value == 1:
        return None
    if not model.sampling:
        raise unsupported(name, f"{model.id} takes no {name} but the default, 1; leave '{name}' out.")
    return value


def _user(body: Body) -> str | None:
    metadata = body.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise wrong_type("metadata", "an object")
    return fields.text(metadata, "user_id", longest=512)


def _tools(body: Body) -> tuple[dict[str, Any], ...]:
    value = body.get("tools")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong_type("tools", "a list of tools")
    for index, tool in enumerate(value):
        at = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise wrong_type(at, "an object")
        if tool.get("type") not in (None, "custom"):
            raise unsupported(
                f"{at}.type", f"'{tool['type']}' runs at Anthropic or at the client in its own way; only custom tools."
            )
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise wrong_type(f"{at}.name", "a string")
        if not isinstance(tool.get("input_schema"), dict):
            raise wrong_type(f"{at}.input_schema", "a JSON Schema")
    if len({tool["name"] for tool in value}) != len(value):
        raise wrong_value("tools", "Tool names must be unique.")
    return tuple(value)


def _choice(body: Body, tools: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    value = body.get("tool_choice")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type("tool_choice", "an object")
    if value.get("type") not in ("auto", "any", "tool", "none"):
        raise wrong_value("tool_choice.type", "tool_choice is of type auto, any, tool or none.")
    if value["type"] == "tool" and value.get("name") not in {tool["name"] for tool in tools}:
        raise wrong_value("tool_choice.name", "tool_choice names a tool that is not among 'tools'.")
    if value["type"] in ("any", "tool") and not tools:
        raise wrong_value("tool_choice", "tool_choice needs 'tools'.")
    return value if tools else None


def _thinking(body: Body, max_tokens: int | None) -> dict[str, Any] | None:
    value = body.get("thinking")
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") not in ("enabled", "adaptive", "disabled"):
        raise wrong_type("thinking", "an object of type enabled, adaptive or disabled")
    budget = value.get("budget_tokens")
    if value["type"] == "enabled":
        if isinstance(budget, bool) or not isinstance(budget, int) or budget < _MIN_THINKING_TOKENS:
            raise wrong_value("thinking.budget_tokens", f"thinking.budget_tokens is at least {_MIN_THINKING_TOKENS}.")
        if max_tokens is not None and budget >= max_tokens:
            raise wrong_value("thinking.budget_tokens", "thinking.budget_tokens must be less than max_tokens.")
    return value


def _output(body: Body, model: ModelInfo) -> tuple[str | None, dict[str, Any] | None]:
    """Effort and schema: `output_config`, or `output_format` as betas called it."""
    config = body.get("output_config") or {}
    if not isinstance(config, dict):
        raise wrong_type("output_config", "an object")
    if unknown := sorted(config.keys() - {"effort", "format"}):
        raise unsupported(f"output_config.{unknown[0]}", f"'output_config.{unknown[0]}' is not supported here.")
    effort = config.get("effort")
    if effort is not None and effort not in model.efforts:
        known = ", ".join(model.efforts) or "none"
        raise wrong_value("output_config.effort", f"{model.id} knows these efforts: {known}.")
    wanted = config.get("format") or body.get("output_format")
    if wanted is None:
        return effort, None
    if (
        not isinstance(wanted, dict)
        or wanted.get("type") != "json_schema"
        or not isinstance(wanted.get("schema"), dict)
    ):
        raise wrong_type("output_config.format", "an object of type json_schema with a schema")
    return effort, wanted["schema"]
