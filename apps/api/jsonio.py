"""JSON as it crosses the wire: strict about what comes in, UTF-8 in what goes out."""

import json
from typing import Any, NoReturn

MAX_DEPTH = 100


class BadJson(ValueError):
    """The text is not JSON that we take; the message says why."""


def loads(raw: bytes) -> Any:
    """The value in `raw`. Raises BadJson for anything but JSON in UTF-8, for NaN, and for more than MAX_DEPTH levels.

    Also refused: half a surrogate pair in a string, which is no text and could not be sent on.
    """
    try:
        value = json.loads(raw.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BadJson("it is not UTF-8") from None
    except RecursionError:
        raise BadJson(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"{error.msg}, line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise BadJson(str(error)) from None
    _check_depth(value)
    if b"\\ud" in raw or b"\\uD" in raw:  # only an escape can bring one in, so most bodies are not searched
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadJson("a string holds half of a surrogate pair") from None
    return value


def dumps(value: object) -> bytes:
    """`value` as compact JSON in UTF-8; with escapes where a string holds half a surrogate pair."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise BadJson(f"it is nested deeper than {MAX_DEPTH} levels")
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
