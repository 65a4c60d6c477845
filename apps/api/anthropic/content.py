"""Content blocks of Anthropic messages, checked; they go upstream as they are. Pure."""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

from apps.api.openai.content import MAX_IMAGE_BYTES, MEDIA_TYPES
from apps.api.openai.fields import unsupported, wrong_type, wrong_value

Block = dict[str, Any]

_FETCHED = "this service fetches nothing: send the data itself, as base64"


def blocks(content: Any, *, param: str, role: str) -> Iterator[Block]:
    """The blocks of a message's content, a string or a list; blank text is left out, the upstream takes none."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content blocks")
    for index, block in enumerate(content):
        at = f"{param}[{index}]"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise wrong_type(at, "an object with a type")
        check = _CHECKS.get((role, block["type"])) or _CHECKS.get(("any", block["type"]))
        if check is None:
            raise unsupported(f"{at}.type", f"Blocks of type '{block['type']}' cannot be in a message of the {role}.")
        if check(block, at):
            yield block


def _text(block: Block, at: str) -> bool:
    if not isinstance(block.get("text"), str):
        raise wrong_type(f"{at}.text", "a string")
    return bool(block["text"].strip())


def _image(block: Block, at: str) -> bool:
    source = _source(block, at)
    if source.get("type") != "base64":
        raise unsupported(f"{at}.source.type", f"Images by '{source.get('type')}' are not taken; {_FETCHED}.")
    if source.get("media_type") not in MEDIA_TYPES:
        raise wrong_value(f"{at}.source.media_type", f"Images are of type {', '.join(MEDIA_TYPES)}.")
    if len(_data(source, at)) * 3 // 4 > MAX_IMAGE_BYTES + 2:
        raise wrong_value(f"{at}.source.data", f"An image takes at most {MAX_IMAGE_BYTES // 1024**2} MB.")
    return True


def _document(block: Block, at: str) -> bool:
    source = _source(block, at)
    match source.get("type"):
        case "base64" if source.get("media_type") == "application/pdf":
            _data(source, at)
        case "base64":
            raise wrong_value(f"{at}.source.media_type", "A document in base64 is of type application/pdf.")
        case "text":
            if not isinstance(source.get("data"), str) or not source["data"].strip():
                raise wrong_type(f"{at}.source.data", "a string that says something")
        case "content":
            for _ in blocks(source.get("content"), param=f"{at}.source.content", role="document"):
                pass
        case kind:
            raise unsupported(f"{at}.source.type", f"Documents by '{kind}' are not taken; {_FETCHED}.")
    return True


def _tool_use(block: Block, at: str) -> bool:
    for name in ("id", "name"):
        if not isinstance(block.get(name), str) or not block[name]:
            raise wrong_type(f"{at}.{name}", "a string")
    if not isinstance(block.get("input"), dict):
        raise wrong_type(f"{at}.input", "an object")
    return True


def _tool_result(block: Block, at: str) -> bool:
    if not isinstance(block.get("tool_use_id"), str) or not block["tool_use_id"]:
        raise wrong_type(f"{at}.tool_use_id", "a string")
    if block.get("content") is not None:
        for _ in blocks(block["content"], param=f"{at}.content", role="result"):
            pass
    return True


def _thinking(block: Block, at: str) -> bool:
    if not isinstance(block.get("thinking"), str) or not isinstance(block.get("signature"), str):
        raise wrong_type(at, "a block of thinking with its signature, as it was answered")
    return True


def _redacted(block: Block, at: str) -> bool:
    if not isinstance(block.get("data"), str):
        raise wrong_type(f"{at}.data", "a string")
    return True


def _search_result(block: Block, at: str) -> bool:
    for name in ("source", "title"):
        if not isinstance(block.get(name), str):
            raise wrong_type(f"{at}.{name}", "a string")
    for _ in blocks(block.get("content"), param=f"{at}.content", role="document"):
        pass
    return True


def _source(block: Block, at: str) -> Block:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{at}.source", "an object")
    return source


def _data(source: Block, at: str) -> str:
    data = source.get("data")
    if not isinstance(data, str):
        raise wrong_type(f"{at}.source.data", "a string of base64")
    try:
        if not base64.b64decode(data, validate=True):
            raise wrong_value(f"{at}.source.data", "It is empty.")
    except binascii.Error:
        raise wrong_value(f"{at}.source.data", "It is not valid base64.") from None
    return data


_CHECKS: dict[tuple[str, str], Callable[[Block, str], bool]] = {
    ("any", "text"): _text,
    ("user", "image"): _image,
    ("user", "document"): _document,
    ("user", "search_result"): _search_result,
    ("user", "tool_result"): _tool_result,
    ("result", "image"): _image,
    ("result", "document"): _document,
    ("result", "search_result"): _search_result,
    ("assistant", "tool_use"): _tool_use,
    ("assistant", "thinking"): _thinking,
    ("assistant", "redacted_thinking"): _redacted,
    ("document", "image"): _image,
}
