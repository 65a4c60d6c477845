"""Input files of a task, read from a body. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from apps.api.openai.fields import unsupported, wrong_type, wrong_value
from apps.claude.taskspec import File

MAX_FILES = 200
MAX_TOTAL_BYTES = 6 * 1024 * 1024
_MAX_NAME = 255
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|[\ud800-\udfff]")


def files(value: Any) -> tuple[File, ...]:
    """The files of `files: [{name, content | content_base64}]`. Raises ApiError naming the one at fault."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong_type("files", "a list of files")
    if len(value) > MAX_FILES:
        raise wrong_value("files", f"'files' takes at most {MAX_FILES} files, not {len(value)}.")
    found = tuple(_file(item, f"files[{index}]") for index, item in enumerate(value))
    _check_names([each.name for each in found])
    if sum(len(each.content) for each in found) > MAX_TOTAL_BYTES:
        raise wrong_value("files", f"All files together take at most {MAX_TOTAL_BYTES >> 20} MB.")
    return found


def _file(item: Any, at: str) -> File:
    if not isinstance(item, dict):
        raise wrong_type(at, "an object with name and content")
    for name in item.keys() - {"name", "content", "content_base64"}:
        raise unsupported(f"{at}.{name}", f"A file has no field '{name}': it has name and content or content_base64.")
    name = item.get("name")
    if not isinstance(name, str):
        raise wrong_type(f"{at}.name", "a string")
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "replace")) > _MAX_NAME or _FORBIDDEN.search(name):
        raise wrong_value(f"{at}.name", f"A file's name has 1 to {_MAX_NAME} bytes and no control characters.")
    if any(part in ("", ".", "..") for part in parts):
        raise wrong_value(f"{at}.name", "A file's name is a relative path such as src/main.py, without '.' and '..'.")
    return File(name=name, content=_content(item, at))


def _content(item: dict[str, Any], at: str) -> bytes:
    text, encoded = item.get("content"), item.get("content_base64")
    if (text is None) == (encoded is None):
        raise wrong_value(at, "A file has either 'content' (text) or 'content_base64'.")
    if text is not None:
        if not isinstance(text, str):
            raise wrong_type(f"{at}.content", "a string")
        return text.encode("utf-8", "replace")
    if not isinstance(encoded, str):
        raise wrong_type(f"{at}.content_base64", "a string")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise wrong_value(f"{at}.content_base64", "That is not valid base64.") from None


def _check_names(names: list[str]) -> None:
    """Each name once, and none a folder of another."""
    for name in _twice(names):
        raise wrong_value("files", f"There are two files '{name[:100]}', or one is a folder of the other.")


def _twice(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    folders = {"/".join(parts[:end]) for name in names for parts in [name.split("/")] for end in range(1, len(parts))}
    for name in names:
        if name in seen or name in folders:
            yield name
        seen.add(name)
