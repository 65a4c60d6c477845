"""Input items of the Responses API as chat messages, and the turns of an earlier response as such. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from apps.api.openai.fields import unsupported, wrong_type
from apps.claude.spec import Turn

Message = dict[str, Any]

_PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}


def messages(value: Any) -> list[Message]:
    """The messages that the input stands for: a string, or a list of items. Raises ApiError."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise wrong_type("input", "a string or a list of items")
    found: list[Message] = []
    for index, item in enumerate(value):
        _add(found, item, f"input[{index}]")
    return found


def _add(found: list[Message], item: Any, at: str) -> None:
    if not isinstance(item, dict):
        raise wrong_type(at, "an object")
    match item.get("type", "message"):
        case "message":
            found.append({"role": item.get("role"), "content": _content(item.get("content"), f"{at}.content")})
        case "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            if not found or found[-1]["role"] != "assistant":
                found.append({"role": "assistant", "content": None})
            found[-1].setdefault("tool_calls", []).append(call)
        case "function_call_output":
            output = _content(item.get("output"), f"{at}.output")
            found.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": output})
        case "reasoning":
            pass  # the model's own; Claude takes none back without its seal
        case kind:
            raise unsupported(f"{at}.type", f"Items of type '{str(kind)[:100]}' are not supported here.")


def _content(value: Any, at: str) -> Any:
    if not isinstance(value, list):
        return value
    return [_part(part, f"{at}[{index}]") for index, part in enumerate(value)]


def _part(part: Any, at: str) -> Any:
    if not isinstance(part, dict):
        raise wrong_type(at, "an object")
    kind = part.get("type")
    if kind in _PARTS:
        return {"type": _PARTS[kind], _PARTS[kind]: part.get(_PARTS[kind])}
    match kind:
        case "input_image" if part.get("file_id"):
            raise unsupported(f"{at}.file_id", "Send the image itself, as a data: URL in 'image_url'.")
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
        case "input_file":
            return {"type": "file", "file": {name: value for name, value in part.items() if name != "type"}}
    raise unsupported(f"{at}.type", f"Content of type '{str(kind)[:100]}' is not supported here.")


def of_turns(turns: Iterable[Turn]) -> list[Message]:
    """A conversation that was had, as messages."""
    return [message for turn in turns for message in _of_turn(turn)]


def _of_turn(turn: Turn) -> list[Message]:
    results = [_of_result(block) for block in turn.content if block["type"] == "tool_result"]
    parts = [part for block in turn.content if (part := _of_block(block))]
    calls = [_of_call(block) for block in turn.content if block["type"] == "tool_use"]
    said: Message = {"role": turn.role, "content": parts or None}
    if calls:
        said["tool_calls"] = calls
    return [*results, said] if parts or calls else results


def _of_block(block: dict[str, Any]) -> Message | None:
    match block["type"]:
        case "text":
            return {"type": "text", "text": block["text"]}
        case "image":
            return {"type": "image_url", "image_url": {"url": _data_url(block["source"])}}
        case "document" if block["source"]["type"] == "base64":
            return {"type": "file", "file": {"file_data": _data_url(block["source"]), "filename": block.get("title")}}
        case "document":
            return {"type": "text", "text": block["source"]["data"]}
    return None


def _data_url(source: dict[str, Any]) -> str:
    return f"data:{source['media_type']};base64,{source['data']}"


def _of_call(block: dict[str, Any]) -> Message:
    function = {"name": block["name"], "arguments": json.dumps(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}


def _of_result(block: dict[str, Any]) -> Message:
    content = block.get("content")
    said = content if isinstance(content, str) else [part for each in content or () if (part := _of_block(each))]
    message = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": said}
    return message | ({"is_error": True} if block.get("is_error") else {})
