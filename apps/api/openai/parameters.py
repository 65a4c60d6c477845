"""What becomes of OpenAI parameters that Claude does not have. Pure.

Nothing is dropped in silence: a parameter is honoured, or ignored and listed in `x-ignored-params` (only where OpenAI's
own documentation promises no effect on the answer), or refused with a 400 that names it.
"""

from collections.abc import Callable
from typing import Any

from apps.api.openai.fields import Body, unsupported
from apps.api.problems import invalid

HONOURED = {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "temperature",
    "top_p", "user", "metadata", "n",
}  # fmt: skip

IGNORED = {
    "seed", "service_tier", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
    "safety_identifier", "prediction", "parallel_tool_calls", "moderation",
}  # fmt: skip
"""Hints, bookkeeping and best-effort parameters: the answer is a right one without them."""


def _zero(value: Any) -> bool:
    return bool(value == 0)


def _empty(value: Any) -> bool:
    return value in ({}, [])


NEUTRAL: dict[str, Callable[[Any], bool]] = {
    "presence_penalty": _zero,
    "frequency_penalty": _zero,
    "top_logprobs": _zero,
    "logprobs": lambda value: value is False,
    "logit_bias": _empty,
    "tools": _empty,
    "functions": _empty,
    "tool_choice": lambda value: value in ("none", "auto"),
    "function_call": lambda value: value in ("none", "auto"),
    "response_format": lambda value: value == {"type": "text"},
    "modalities": lambda value: value == ["text"],
    "verbosity": lambda value: value == "medium",
    "audio": lambda value: False,
    "reasoning_effort": lambda value: False,
    "web_search_options": lambda value: False,
}
"""Not supported, but for the value that asks for nothing: that one is taken."""


def ignored(body: Body) -> set[str]:
    """The names of those that are ignored. Raises ApiError for the first that can be neither honoured nor ignored."""
    found = set()
    for name, value in body.items():
        if name in HONOURED or value is None:
            continue
        if name in IGNORED:
            found.add(name)
        elif name in NEUTRAL:
            if not NEUTRAL[name](value):
                raise unsupported(name, f"'{name}' is not supported here; leave it out.")
        else:
            message = f"Unrecognized request argument supplied: {name}."
            raise invalid(message, param=name, code="unknown_parameter")
    return found
