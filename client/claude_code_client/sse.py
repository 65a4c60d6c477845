"""Server-sent events, line by line. Pure."""

import json
from typing import Any

DONE = "[DONE]"


class Reader:
    """Takes the lines of a stream; gives an event's JSON when it is complete."""

    def __init__(self) -> None:
        self._data: list[str] = []

    def take(self, line: str) -> Any | None:
        """The event that ends with this line, if one does. OpenAI's `[DONE]` is none."""
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        if line or not self._data:
            return None
        data, self._data = "\n".join(self._data), []
        return None if data == DONE else json.loads(data)
