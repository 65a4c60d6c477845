"""A job as the typed events of a streamed response. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.api import jsonio, sse
from apps.api.problems import Problem
from apps.api.responses import answers
from apps.jobs.events import Event

Said = tuple[str, dict[str, Any]]
"""An event's type and its fields."""


@dataclass(slots=True)
class _Open:
    """The item that is being written."""

    kind: str
    key: str
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def item(self, *, whole: bool) -> dict[str, Any]:
        """As it is at its beginning, or when it is whole."""
        text, status = "".join(self.pieces), "completed" if whole else "in_progress"
        match self.kind:
            case "token":
                return answers.message(self.key, text if whole else None, status)
            case "thinking":
                return answers.reasoning(self.key, text if whole else None)
        return answers.function_call(self.key, self.call_id, self.name, text if whole else "", status)

    def begin(self) -> Iterator[Said]:
        """What is said before its first piece."""
        yield "response.output_item.added", {"item": self.item(whole=False)}
        if self.kind == "token":
            yield "response.content_part.added", {"content_index": 0, "part": answers.part("")}
        elif self.kind == "thinking":
            yield "response.reasoning_summary_part.added", {"summary_index": 0, "part": _summary("")}

    def piece(self, text: str) -> Said:
        """A piece of it."""
        self.pieces.append(text)
        match self.kind:
            case "token":
                return "response.output_text.delta", {"content_index": 0, "delta": text, "logprobs": []}
            case "thinking":
                return "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": text}
        return "response.function_call_arguments.delta", {"delta": text}

    def end(self) -> Iterator[Said]:
        """What is said once it is whole."""
        text = "".join(self.pieces)
        match self.kind:
            case "token":
                yield "response.output_text.done", {"content_index": 0, "text": text, "logprobs": []}
                yield "response.content_part.done", {"content_index": 0, "part": answers.part(text)}
            case "thinking":
                yield "response.reasoning_summary_text.done", {"summary_index": 0, "text": text}
                yield "response.reasoning_summary_part.done", {"summary_index": 0, "part": _summary(text)}
            case _:
                yield "response.function_call_arguments.done", {"name": self.name, "arguments": text}
        yield "response.output_item.done", {"item": self.item(whole=True)}


@dataclass
class Stream:
    """The same events for the same job whenever it is told, so that `after` can resume behind a sequence number."""

    job: Mapping[str, Any]
    """The job object, at whatever time of its life."""
    echo: Mapping[str, Any]
    after: int = -1
    _number: int = -1
    _output: list[dict[str, Any]] = field(default_factory=list)
    _open: _Open | None = None

    def first(self) -> bytes:
        """That it has begun."""
        begun = {"response": self._unfinished()}
        return self._told([("response.created", begun), ("response.in_progress", begun)])

    def events(self, batch: Sequence[Event]) -> bytes:
        """What these events of the job say."""
        return b"".join(self._told(self._event(event)) for event in batch)

    def last(self, job: dict[str, Any]) -> bytes:
        """The whole response, once more."""
        closed = self._told(self._close())
        whole = answers.response(job, self.echo)
        kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return closed + self._told([(kind, {"response": whole})])

    def failed(self, problem: Problem) -> bytes:
        """Why there is no more."""
        closed = self._told(self._close())
        error = {"code": problem.code, "message": problem.message}
        whole = self._unfinished() | {"status": "failed", "error": error, "output": self._output}
        return closed + self._told([("response.failed", {"response": whole})])

    def ping(self) -> bytes:
        """A sign of life."""
        return sse.PING

    def _unfinished(self) -> dict[str, Any]:
        return answers.response({**self.job, "status": "in_progress"}, self.echo)

    def _event(self, event: Event) -> Iterator[Said]:
        data: Mapping[str, Any] = event.data
        match event.type:
            case "token" | "thinking":
                if self._open is None or self._open.kind != event.type:
                    yield from self._begin(event.type)
                yield self._piece(data["text"])
            case "tool_use":
                yield from self._begin("tool_use", call_id=data["id"], name=data["name"])
            case "tool_input":
                yield self._piece(data["partial_json"])

    def _piece(self, text: str) -> Said:
        assert self._open is not None
        kind, fields = self._open.piece(text)
        return kind, {"item_id": self._open.item(whole=False)["id"], "output_index": len(self._output), **fields}

    def _begin(self, kind: str, *, call_id: str = "", name: str = "") -> Iterator[Said]:
        yield from self._close()
        key = f"{str(self.job['id']).removeprefix('job_')}_{len(self._output)}"
        self._open = _Open(kind, key, call_id, name)
        yield from self._placed(self._open.begin())

    def _close(self) -> Iterator[Said]:
        if self._open is None:
            return
        yield from self._placed(self._open.end())
        self._output.append(self._open.item(whole=True))
        self._open = None

    def _placed(self, said: Iterator[Said]) -> Iterator[Said]:
        """Each of them with its place in the output, and the item's id where it does not carry the item."""
        assert self._open is not None
        identity = {"item_id": self._open.item(whole=False)["id"]}
        for kind, fields in said:
            yield kind, {"output_index": len(self._output), **({} if "item" in fields else identity), **fields}

    def _told(self, said: Iterator[Said] | Sequence[Said]) -> bytes:
        lines = []
        for kind, fields in said:
            self._number += 1
            if self._number > self.after:
                data = jsonio.dumps({"type": kind, "sequence_number": self._number, **fields})
                lines.append(sse.event(type=kind, data=data))
        return b"".join(lines)


def _summary(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}
