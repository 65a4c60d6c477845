"""Input items of the Responses API as chat messages. Pure."""

from typing import Any

from apps.api.openai.fields import unsupported, wrong_type

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
