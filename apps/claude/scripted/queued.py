"""Answers told out of band (`POST /script`), for tests whose prompt cannot carry stage directions.

`{"match": "marker", "answers": [answer, …]}`: every request whose system prompt or messages contain the marker takes
the next answer, until all are used. An answer is a list of content blocks, sent as they are, or a string, read like a
prompt with directives.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

Queue = str | list[dict[str, object]]


class BadScript(ValueError):
    """The script is not `{"match": …, "answers": […]}`."""


@dataclass(slots=True)
class _Waiting:
    match: str
    answers: deque[Queue]


class Queued:
    """The answers waiting for their requests."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def add(self, script: object) -> None:
        """Queue answers. Raises `BadScript`."""
        match script:
            case {"match": str(match), "answers": list(answers)} if match and all(map(_is_answer, answers)):
                self._waiting.append(_Waiting(match, deque(answers)))
            case _:
                raise BadScript(
                    'a script is {"match": "text", "answers": ["text with directives", [content blocks], …]}'
                )

    def take(self, body: Mapping[str, object]) -> Queue | None:
        """The next answer for this request, or `None` when nothing matches it."""
        if not self._waiting:
            return None
        words = "\n".join(_strings([body.get("system"), body.get("messages")]))
        for waiting in self._waiting:
            if waiting.match in words:
                answer = waiting.answers.popleft()
                if not waiting.answers:
                    self._waiting.remove(waiting)
                return answer
        return None

    def clear(self) -> None:
        """Forget every answer that waits."""
        self._waiting.clear()


def _is_answer(answer: object) -> bool:
    return isinstance(answer, str) or (isinstance(answer, list) and all(isinstance(block, dict) for block in answer))


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in _strings(item)]
        case dict():
            return [text for item in value.values() for text in _strings(item)]
        case _:
            return []
