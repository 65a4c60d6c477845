"""Reading typed fields of a JSON body, with errors that name the field. Pure."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from apps.api.problems import ApiError, invalid

Body = Mapping[str, Any]


def wrong_type(param: str, expected: str) -> ApiError:
    """The field has another type than the one expected."""
    return invalid(f"'{param}' must be {expected}.", param=param, code="invalid_type")


def wrong_value(param: str, message: str) -> ApiError:
    """The field's value cannot be used; `message` says why."""
    return invalid(message, param=param, code="invalid_value")


def unsupported(param: str, message: str) -> ApiError:
    """OpenAI knows this, we cannot honour it."""
    return invalid(message, param=param, code="unsupported_parameter")


def text(body: Body, name: str, *, longest: int, param: str | None = None) -> str | None:
    """A string of at most `longest` characters, or None."""
    value, param = body.get(name), param or name
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(param, "a string")
    if len(value) > longest:
        raise wrong_value(param, f"'{param}' takes at most {longest} characters.")
    return value


def flag(body: Body, name: str, *, param: str | None = None) -> bool:
    """A boolean; missing or null is False."""
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong_type(param or name, "true or false")
    return value


def whole(body: Body, name: str, *, least: int) -> int | None:
    """A whole number of at least `least`, or None."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "a whole number")
    if value < least:
        raise wrong_value(name, f"'{name}' must be at least {least}.")
    return value


def number(body: Body, name: str, *, most: float) -> float | None:
    """A number from 0 to `most`, or None."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise wrong_type(name, "a number")
    if not 0 <= value <= most:
        raise wrong_value(name, f"'{name}' must lie between 0 and {most:g}.")
    return float(value)


def strings(body: Body, name: str, *, most: int) -> tuple[str, ...]:
    """One string or a list of at most `most` strings; none of them blank."""
    value = body.get(name)
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise wrong_type(name, "a string or a list of strings")
    if len(items) > most:
        raise wrong_value(name, f"'{name}' takes at most {most} strings.")
    if any(not item.strip() for item in items):
        raise wrong_value(name, f"'{name}' takes no empty or blank strings.")
    return tuple(items)


def metadata(body: Body) -> dict[str, str]:
    """Up to 16 pairs of strings (keys of 64, values of 512 characters), as OpenAI limits them."""
    value = body.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise wrong_type("metadata", "an object whose values are strings")
    if len(value) > 16 or any(len(key) > 64 or len(item) > 512 for key, item in value.items()):
        raise wrong_value("metadata", "'metadata' takes at most 16 keys of 64 characters, with values of 512.")
    return value
