"""Messages that call functions and bring their results, as blocks of the Messages API. Pure."""

import json
import re
from hashlib import blake2b
from typing import Any

from apps.api.openai.content import Block, Media, blocks
from apps.api.openai.fields import flag, unsupported, wrong_type, wrong_value
from apps.api.openai.tools import name_of

_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def calls(message: dict[str, Any], at: str) -> list[Block]:
    """The functions that an assistant message calls."""
    if message.get("function_call"):
        raise unsupported(f"{at}.function_call", "'function_call' is OpenAI's former way; send 'tool_calls'.")
    value = message.get("tool_calls")
    if not value:
        return []
    if not isinstance(value, list):
        raise wrong_type(f"{at}.tool_calls", "a list")
    found = [_call(call, f"{at}.tool_calls[{index}]") for index, call in enumerate(value)]
    if len({call["id"] for call in found}) != len(found):
        raise wrong_value(f"{at}.tool_calls", "Two calls have the same id.")
    return found


def _call(value: Any, at: str) -> Block:
    if not isinstance(value, dict):
        raise wrong_type(at, "an object")
    function = value.get("function")
    if value.get("type", "function") != "function" or not isinstance(function, dict):
        raise unsupported(f"{at}.type", "Calls are of type 'function' here.")
    return {
        "type": "tool_use",
        "id": _id(value.get("id"), f"{at}.id"),
        "name": name_of(function.get("name"), f"{at}.function.name"),
        "input": _arguments(function.get("arguments"), f"{at}.function.arguments"),
    }


def _arguments(value: Any, at: str) -> dict[str, Any]:
    """The call's input. What is no JSON object was wrong when the model wrote it, and is shown to it as it was."""
    if value is None:
        return {}
    if not isinstance(value, str):
        raise wrong_type(at, "a string of JSON")
    try:
        found = json.loads(value) if value.strip() else {}
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"invalid_json": value}


def result(message: dict[str, Any], at: str, media: Media) -> Block:
    """What a function came to. `is_error` is not OpenAI's: it tells the model that the call failed."""
    block: Block = {"type": "tool_result", "tool_use_id": _id(message.get("tool_call_id"), f"{at}.tool_call_id")}
    content = message.get("content")
    if content is not None and (said := list(blocks(content, param=f"{at}.content", media=media))):
        block["content"] = said
    if flag(message, "is_error", param=f"{at}.is_error"):
        block["is_error"] = True
    return block


def _id(value: Any, param: str) -> str:
    """The id, in letters that the upstream takes; the same one for the same id always."""
    if not isinstance(value, str) or not value:
        raise wrong_type(param, "a string")
    return value if _ID.fullmatch(value) else f"toolu_{blake2b(value.encode(), digest_size=16).hexdigest()}"
