"""A request of OpenAI's Responses API, read by way of the chat completion that asks the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.api.openai import fields
from apps.api.openai.content import Media
from apps.api.openai.fields import Body, unsupported, wrong_type, wrong_value
from apps.api.openai.requests import read as read_chat
from apps.api.problems import ApiError, invalid
from apps.api.responses.items import messages
from apps.jobs.conversations import NOTHING_SAID, Conversation
from apps.jobs.requests import ChatRequest

WIRE = "responses"
"""What `ChatRequest.echo` says of itself."""
_SAME = ("model", "temperature", "top_p", "parallel_tool_calls", "user", "metadata", "stream")
_IGNORED = frozenset(
    {"include", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "stream_options"}
)
_OWN = frozenset(
    {
        *("input", "instructions", "max_output_tokens", "tools", "tool_choice", "text", "reasoning"),
        *("previous_response_id", "store", "background", "truncation", "top_logprobs", "max_tool_calls"),
    }
)
_PARAMS = {
    "messages": "input",
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "max_completion_tokens": "max_output_tokens",
}
_ECHOED = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "previous_response_id", "reasoning"),
    *("store", "background", "temperature", "text", "tool_choice", "tools", "top_p", "user"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A request, and how its answer is wanted."""

    chat: ChatRequest
    stream: bool
    background: bool
    """Whether the answer is only that it has begun."""
    ignored: tuple[str, ...]


def read(body: Any, *, default_model: str, earlier: Conversation = NOTHING_SAID, media: Media | None = None) -> Reading:
    """The request in a parsed body, behind what was said in the response it continues. Raises ApiError."""
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object")
    _check(body)
    try:
        found = read_chat(_chat_body(body), default_model=default_model, media=media, earlier=earlier)
    except ApiError as error:
        raise _renamed(error, shifted=bool(body.get("instructions"))) from None
    echo = {"wire": WIRE, **{name: body.get(name) for name in _ECHOED}}
    chat = replace(found.chat, echo=echo, streamed=found.stream)
    ignored = {*found.ignored, *(name for name in _IGNORED if body.get(name))}
    return Reading(chat, found.stream, fields.flag(body, "background"), tuple(sorted(ignored)))


def previous(body: Any) -> str | None:
    """The response that is to be continued. Raises ApiError."""
    return fields.text(body, "previous_response_id", longest=100) if isinstance(body, dict) else None


def _check(body: Body) -> None:
    for name, value in body.items():
        if value is not None and name not in _SAME and name not in _OWN and name not in _IGNORED:
            raise unsupported(name, f"'{name}' is not supported here; leave it out.")
    if body.get("truncation") not in (None, "disabled"):
        raise unsupported("truncation", "Nothing is left out here: 'truncation' can only be 'disabled'.")
    if body.get("top_logprobs") not in (None, 0):
        raise unsupported("top_logprobs", "Claude tells no log probabilities.")
    if body.get("max_tool_calls") is not None:
        raise unsupported("max_tool_calls", "There are no built-in tools here whose calls could be counted.")
    fields.flag(body, "store")
    if fields.flag(body, "background") and body.get("store") is False:
        raise wrong_value("background", "A response in the background has to be stored to be found again.")
    if body.get("input") is None:
        raise wrong_value("input", "Missing required parameter: 'input'.")


def _chat_body(body: Body) -> dict[str, Any]:
    chat: dict[str, Any] = {name: body[name] for name in _SAME if body.get(name) is not None}
    instructions = fields.text(body, "instructions", longest=10_000_000)
    system = [{"role": "system", "content": instructions}] if instructions else []
    chat["messages"] = [*system, *messages(body["input"])]
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if body.get("tools") is not None:
        chat["tools"] = _tools(body["tools"])
    if body.get("tool_choice") is not None:
        chat["tool_choice"] = _choice(body["tool_choice"])
    chat |= _text(_object(body, "text")) | _reasoning(_object(body, "reasoning"))
    return chat


def _object(body: Body, name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise wrong_type(name, "an object")
    return value or {}


def _tools(value: Any) -> list[Any]:
    """Functions are flat here."""
    if not isinstance(value, list):
        raise wrong_type("tools", "a list of tools")
    tools = []
    for index, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise wrong_type(f"tools[{index}]", "an object")
        if tool.get("type") != "function":
            kind = str(tool.get("type"))[:100]
            raise unsupported(
                f"tools[{index}].type", f"Tools are functions of the client here; '{kind}' is not supported."
            )
        tools.append({"type": "function", "function": {name: said for name, said in tool.items() if name != "type"}})
    return tools


def _choice(value: Any) -> Any:
    match value:
        case {"type": "function", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case {"type": "allowed_tools", "mode": mode, "tools": list(tools)}:
            return {
                "type": "allowed_tools",
                "allowed_tools": {"mode": mode, "tools": [_choice(each) for each in tools]},
            }
    return value


def _text(value: Mapping[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {"verbosity": value["verbosity"]} if value.get("verbosity") else {}
    wanted = value.get("format")
    if wanted is None:
        return chat
    if not isinstance(wanted, dict):
        raise wrong_type("text.format", "an object")
    if wanted.get("type") == "json_schema":
        schema = {name: said for name, said in wanted.items() if name != "type"}
        return chat | {"response_format": {"type": "json_schema", "json_schema": schema}}
    return chat | {"response_format": wanted}


def _reasoning(value: Mapping[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {"reasoning_effort": value["effort"]} if value.get("effort") else {}
    shown = value.get("summary") or value.get("generate_summary")
    return chat | ({"include_reasoning": True} if shown else {})


def _renamed(error: ApiError, *, shifted: bool) -> ApiError:
    """The error with this wire's name of the parameter. `shifted`: messages are not counted as items are."""
    problem = error.problem
    param = problem.param
    for chat, ours in _PARAMS.items():
        if param is not None and (param == chat or param.startswith((f"{chat}.", f"{chat}["))):
            param = ours if chat == "messages" and shifted else ours + param[len(chat) :]
            break
    return invalid(problem.message, param=param, code=problem.code) if problem.status == 400 else error
