"""Reading the query of a URL. Pure."""

from collections.abc import Mapping

from apps.api.openai.fields import wrong_value


def whole(query: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of a query. Raises ApiError (400) naming it."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise wrong_value(name, f"'{name}' is a whole number from {least} to {most}.")
    return int(text)
