"""A job as the Messages API's answer, whole or as its events. Pure.

`job` is always the job object of the wire, as the terminal event carries it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.api import jsonio
from apps.api.anthropic.errors import body_of
from apps.api.openai.answers import x_claude
from apps.api.problems import Problem
from apps.jobs.events import Event

_THINKING = ("thinking", "redacted_thinking")
_THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}


def message_id(job_id: str) -> str:
    """The id of the answer that a job gives."""
    return f"msg_{job_id.removeprefix('job_')}"


def usage(job: dict[str, Any]) -> dict[str, Any]:
    """Tokens by kind, in Anthropic's words."""
    counts = job["usage"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    return {name: counts[name] for name in names}


def message(job: dict[str, Any], *, thinking: bool) -> dict[str, Any]:
    """The answer to a request without `stream`; blocks of thinking only where they were asked for."""
    content = job["content"] or ([{"type": "text", "text": job["result"]}] if job["result"] else [])
    return {
        "id": message_id(job["id"]),
        "type": "message",
        "role": "assistant",
        "model": job["model"],
        "content": [block for block in content if thinking or block["type"] not in _THINKING],
        "stop_reason": job["stop_reason"],
        "stop_sequence": job["stop_sequence"],
        "usage": usage(job),
        "x_claude": x_claude(job),
    }


@dataclass
class Stream:
    """Writes the events of one streamed answer. What the prompt weighed is known at its end: in `message_delta`."""

    job_id: str
    model: str
    thinking: bool
    request_id: str
    _index: int = -1
    _open: str = ""
    """The kind of the open block; of a tool call also its id."""

    def first(self) -> bytes:
        """Who speaks."""
        zero = dict.fromkeys(
            ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"), 0
        )
        start: dict[str, Any] = {
            "id": message_id(self.job_id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": zero,
        }
        return _line("message_start", message=start)

    def events(self, batch: Sequence[Event]) -> bytes:
        """What these events of the job say."""
        return b"".join(self._event(event) for event in batch)

    def last(self, job: dict[str, Any]) -> bytes:
        """Why it ended, and what it weighed."""
        delta = {"stop_reason": job["stop_reason"], "stop_sequence": job["stop_sequence"]}
        end = _line("message_delta", delta=delta, usage=usage(job), x_claude=x_claude(job))
        return self._close() + end + _line("message_stop")

    def failed(self, problem: Problem) -> bytes:
        """The error of an answer that had begun; nothing comes after it."""
        return b"event: error\ndata: " + jsonio.dumps(body_of(problem, self.request_id)) + b"\n\n"

    def ping(self) -> bytes:
        """A sign of life."""
        return _line("ping")

    def _event(self, event: Event) -> bytes:
        data = event.data
        match event.type:
            case "token":
                return self._piece("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": data["text"]})
            case "thinking" if self.thinking:
                return self._piece("thinking", _THOUGHT, {"type": "thinking_delta", "thinking": data["text"]})
            case "signature" if self.thinking:
                return self._piece("thinking", _THOUGHT, {"type": "signature_delta", "signature": data["signature"]})
            case "tool_use":
                call = {"type": "tool_use", "id": data["id"], "name": data["name"], "input": {}}
                return self._begin(f"tool_use {data['id']}", call)
            case "tool_input":
                return self._delta({"type": "input_json_delta", "partial_json": data["partial_json"]})
        return b""

    def _piece(self, kind: str, block: dict[str, Any], delta: dict[str, Any]) -> bytes:
        begun = b"" if self._open == kind else self._begin(kind, block)
        return begun + self._delta(delta)

    def _begin(self, kind: str, block: dict[str, Any]) -> bytes:
        closed = self._close()
        self._open = kind
        self._index += 1
        return closed + _line("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _line("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _line("content_block_stop", index=self._index)


def _line(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + jsonio.dumps({"type": kind, **fields}) + b"\n\n"
