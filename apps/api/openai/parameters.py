"""What becomes of each of OpenAI's parameters: the table that the code and docs/parameters.md share. Pure.

Nothing is dropped in silence: a parameter is honoured, or ignored and listed in `x-ignored-params` (only where OpenAI's
own documentation promises no effect on the answer), or refused with a 400 that names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from apps.api.openai.fields import Body, unsupported
from apps.api.problems import invalid

Fate = Literal["honoured", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a chat completion."""

    name: str
    fate: Fate
    note: str
    neutral: Callable[[Any], bool] | None = None
    """Of a refused one: whether a value asks for nothing, and is taken."""


def _honoured(name: str, note: str) -> Parameter:
    return Parameter(name, "honoured", note)


def _ignored(name: str, note: str) -> Parameter:
    return Parameter(name, "ignored", note)


def _refused(name: str, note: str, neutral: Callable[[Any], bool] = lambda value: False) -> Parameter:
    return Parameter(name, "refused", note, neutral)


def _zero(value: Any) -> bool:
    return bool(value == 0)


PARAMETERS = (
    _honoured("messages", "up to 2000, see below"),
    _honoured("model", "an alias, a full id; the key's default model without it"),
    _honoured("stream", "one chunk for each piece of the answer"),
    _honoured("stream_options", "`include_usage`; `include_obfuscation` is ignored"),
    _honoured("max_completion_tokens", "thinking counts too"),
    _honoured("max_tokens", "the same by its former name"),
    _honoured("stop", "a string, or up to 4"),
    _honoured("temperature", "0 to 1; ignored, and listed, where the model takes none: all from Opus 4.7 on"),
    _honoured("top_p", "0 to 1; ignored, and listed, where the model takes none: all from Opus 4.7 on"),
    _honoured("n", "1; more is refused"),
    _honoured("tools", "up to 128 functions; they run at the client, never here"),
    _honoured("tool_choice", "`none`, `auto`, `required`, a function, `allowed_tools`"),
    _honoured("parallel_tool_calls", "`false`: at most one call in an answer"),
    _honoured("response_format", "`text`, `json_object`, `json_schema`; held against the schema before it is answered"),
    _honoured("reasoning_effort", "`none` to `xhigh`; the nearest effort below that the model knows"),
    _honoured("include_reasoning", "not OpenAI's; `true`: thinking is told as `reasoning_content`"),
    _honoured("session_id", "not OpenAI's; `new`, or a session that is gone on with: send only what is new"),
    _honoured("metadata", "kept with the job"),
    _honoured("user", "kept with the job"),
    _ignored("seed", "best effort with OpenAI, too; Claude has none"),
    _ignored("store", "every request is a job and is kept as the operator decided"),
    _ignored("service_tier", "there is one"),
    _ignored("safety_identifier", "a hint for OpenAI"),
    _ignored("prompt_cache_key", "prompts are cached without it"),
    _ignored("prompt_cache_options", "prompts are cached without it"),
    _ignored("prompt_cache_retention", "prompts are cached without it"),
    _ignored("prediction", "a hint that changes speed, not the answer"),
    _ignored("moderation", "a hint for OpenAI"),
    _refused("logprobs", "Claude tells none; `false` is taken", lambda value: value is False),
    _refused("top_logprobs", "Claude tells none; `0` is taken", _zero),
    _refused("logit_bias", "not possible; `{}` is taken", lambda value: value == {}),
    _refused("frequency_penalty", "not possible; `0` is taken", _zero),
    _refused("presence_penalty", "not possible; `0` is taken", _zero),
    _refused("verbosity", "say it in the prompt; `medium` is taken", lambda value: value == "medium"),
    _refused("modalities", "text only; `[\"text\"]` is taken", lambda value: value == ["text"]),
    _refused("audio", "text only"),
    _refused("web_search_options", "no search is done for a chat"),
    _refused("functions", "OpenAI's former way; send `tools`; `[]` is taken", lambda value: value == []),
    _refused("function_call", "OpenAI's former way; send `tool_choice`", lambda value: value in ("none", "auto")),
)  # fmt: skip

_BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def table() -> str:
    """The table in docs/parameters.md, in Markdown."""
    lines = ["| parameter | what becomes of it | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{each.name}` | {each.fate} | {each.note} |" for each in PARAMETERS)]) + "\n"


def ignored(body: Body) -> set[str]:
    """The names of those that are ignored. Raises ApiError for the first that can be neither honoured nor ignored."""
    found = set()
    for name, value in body.items():
        if value is None:
            continue
        known = _BY_NAME.get(name)
        if known is None:
            message = f"Unrecognized request argument supplied: {name}."
            raise invalid(message, param=name, code="unknown_parameter")
        if known.fate == "ignored":
            found.add(name)
        elif known.neutral is not None and not known.neutral(value):
            raise unsupported(name, f"'{name}' is not supported here; leave it out ({known.note}).")
    return found
