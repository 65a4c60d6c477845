"""A chat completion request, read. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from apps.api.openai import fields, reasoning
from apps.api.openai.content import Media
from apps.api.openai.fields import Body
from apps.api.openai.formats import output_schema
from apps.api.openai.messages import conversation
from apps.api.openai.parameters import ignored
from apps.api.openai.tools import tooling
from apps.api.problems import ApiError, Problem
from apps.claude.catalog import MODELS, ModelInfo, find
from apps.jobs.conversations import NOTHING_SAID, Conversation
from apps.jobs.requests import ChatRequest
from apps.jobs.routes import AUTO

AUTO_MODEL = replace(MODELS[0], id=AUTO, alias=None, display_name="Chosen for each request")
"""What a request for `auto` is checked against: every tier takes what this one takes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A request, and how its answer is wanted."""

    chat: ChatRequest
    stream: bool
    include_usage: bool
    include_reasoning: bool
    """Whether thinking is told, as `reasoning_content`."""
    ignored: tuple[str, ...]
    """Parameters without effect, for the header `x-ignored-params`."""


def session_of(body: Any) -> str:
    """The session that the body names: one that exists, NEW_SESSION, or none. Raises ApiError."""
    return (fields.text(body, "session_id", longest=64) or "") if isinstance(body, dict) else ""


def read(body: Any, *, default_model: str, media: Media | None = None, earlier: Conversation = NOTHING_SAID) -> Reading:
    """The request in a parsed body, behind what was said earlier.

    Raises ApiError, naming the parameter, for what cannot be honoured.
    """
    if not isinstance(body, dict):
        raise fields.wrong_type("body", "a JSON object")
    without_effect = ignored(body)
    requested = fields.text(body, "model", longest=200) or default_model
    model = known_model(requested)
    system, turns, more = conversation(body.get("messages"), media, earlier.turns)
    stream, include_usage, unused = _streaming(body)
    if body.get("n") not in (None, 1):
        raise fields.unsupported("n", "Only one choice can be asked for: 'n' must be 1.")
    functions = tooling(body, turns)
    if body.get("parallel_tool_calls") is not None and not body.get("tools"):
        more.add("parallel_tool_calls")
    chat = ChatRequest(
        model=model.id,
        requested_model=requested,
        system=system,
        turns=turns,
        max_tokens=_max_tokens(body),
        stop=fields.strings(body, "stop", most=4),
        temperature=_sampling(body, "temperature", model, more, most=2),
        top_p=_sampling(body, "top_p", model, more, most=1),
        user=fields.text(body, "user", longest=512),
        metadata=fields.metadata(body),
        tools=functions.tools,
        tool_choice=functions.choice,
        output_schema=output_schema(body),
        effort=reasoning.effort(body, model),
        thinking=reasoning.thinking(body, model),
        streamed=stream,
        session_id=session_of(body),
        follows=earlier.job_id,
    )
    shown = fields.flag(body, "include_reasoning")
    return Reading(chat, stream, include_usage, shown, tuple(sorted(without_effect | more | unused)))


def known_model(name: str) -> ModelInfo:
    """The model of that alias or full id. Raises ApiError (404) listing the names there are."""
    model = AUTO_MODEL if name == AUTO else find(name)
    if model is None:
        raise model_not_found(name)
    return model


def model_not_found(name: str) -> ApiError:
    """The 404 that lists the names there are."""
    names = ", ".join([AUTO, *(known.alias or known.id for known in MODELS)])
    message = f"The model '{name}' does not exist or you do not have access to it. Known: {names}."
    return ApiError(Problem(404, message, "model_not_found", "model"))


def _max_tokens(body: Body) -> int | None:
    old = fields.whole(body, "max_tokens", least=1)
    new = fields.whole(body, "max_completion_tokens", least=1)
    if old is not None and new is not None and old != new:
        raise fields.wrong_value("max_tokens", "'max_tokens' and 'max_completion_tokens' differ; send one of them.")
    return new if new is not None else old


def _sampling(body: Body, name: str, model: ModelInfo, ignored: set[str], *, most: float) -> float | None:
    """Temperature or top_p, 0 to 1. A model that takes none answers without, which is reported."""
    value = fields.number(body, name, most=most)
    if value is None or value == 1:
        return None
    if not model.sampling:
        ignored.add(name)
        return None
    if value > 1:
        raise fields.unsupported(name, f"Claude takes a {name} from 0 to 1, not {value:g}.")
    return value


def _streaming(body: Body) -> tuple[bool, bool, set[str]]:
    stream = fields.flag(body, "stream")
    options = body.get("stream_options")
    if options is None:
        return stream, False, set()
    if not isinstance(options, dict):
        raise fields.wrong_type("stream_options", "an object")
    if not stream:
        raise fields.wrong_value("stream_options", "'stream_options' is only allowed with 'stream': true.")
    for name in options.keys() - {"include_usage", "include_obfuscation"}:
        raise fields.unsupported(f"stream_options.{name}", f"'stream_options' has no field '{name}'.")
    unused = {"stream_options.include_obfuscation"} if options.get("include_obfuscation") else set()
    return stream, fields.flag(options, "include_usage", param="stream_options.include_usage"), unused
