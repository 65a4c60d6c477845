"""Reading the query of a URL, and the page that it asked for. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.api.openai.fields import wrong_value


def whole(query: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of a query. Raises ApiError (400) naming it."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise wrong_value(name, f"'{name}' is a whole number from {least} to {most}.")
    return int(text)


def listing(data: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """OpenAI's page of a list."""
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": list(data), **ends, "has_more": has_more}
