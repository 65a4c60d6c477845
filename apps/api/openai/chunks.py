"""A job's events as OpenAI's chat completion chunks. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from apps.api import jsonio, sse
from apps.api.openai.answers import completion_id, finish_reason, usage, x_claude
from apps.api.problems import Problem
from apps.jobs.events import Event

DONE = b"data: [DONE]\n\n"


@dataclass
class Chunks:
    """Writes the chunks of one streamed answer as SSE."""

    job_id: str
    model: str
    created: int
    """Unix seconds."""
    include_usage: bool = False
    include_reasoning: bool = False
    _calls: dict[str, int] = field(default_factory=dict)
    """The ids of the functions called so far, with their place in the answer."""
    _without_arguments: str | None = None
    """The last call, as long as nothing of its arguments has come."""

    def first(self) -> bytes:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def events(self, events: Iterable[Event]) -> bytes:
        """One chunk for every piece of the answer among the events."""
        return b"".join(map(self._event, events))

    def last(self, job: dict[str, Any]) -> bytes:
        """Why it ended, the usage if it was asked for, and the end mark. `job` is the job object of the wire."""
        end = self._close_call()
        end += self._chunk({}, finish_reason=finish_reason(job["stop_reason"]), x_claude=x_claude(job))
        if self.include_usage:
            end += self._line({**self._frame(), "choices": [], "usage": usage(job)})
        return end + DONE

    def failed(self, problem: Problem) -> bytes:
        """The error of an answer that had begun, and the end mark."""
        return self._line(problem.body()) + DONE

    def ping(self) -> bytes:
        """A sign of life."""
        return sse.PING

    def _event(self, event: Event) -> bytes:
        data = event.data
        match event.type:
            case "token":
                head, tail = self._around_text
                return self._close_call() + head + jsonio.dumps(str(data["text"])) + tail
            case "thinking" if self.include_reasoning:
                return self._chunk({"reasoning_content": data["text"]})
            case "tool_use":
                return self._close_call() + self._call(str(data["id"]), str(data["name"]))
            case "tool_input" if data["id"] in self._calls:
                self._without_arguments = None
                return self._arguments(str(data["id"]), str(data["partial_json"]))
        return b""

    def _call(self, call_id: str, name: str) -> bytes:
        index = self._calls[call_id] = len(self._calls)
        self._without_arguments = call_id
        called = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        return self._chunk({"tool_calls": [called]})

    def _arguments(self, call_id: str, piece: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls[call_id], "function": {"arguments": piece}}]})

    def _close_call(self) -> bytes:
        """Clients parse the arguments of every call: of one without any they are an empty object."""
        if self._without_arguments is None:
            return b""
        call_id, self._without_arguments = self._without_arguments, None
        return self._arguments(call_id, "{}")

    @cached_property
    def _around_text(self) -> tuple[bytes, bytes]:
        """What stands before and after the text in a chunk: all else in it is the same every time."""
        mark = "\x1a"
        head, _, tail = self._chunk({"content": mark}).partition(json.dumps(mark).encode())
        return head, tail

    def _frame(self) -> dict[str, Any]:
        return {
            "id": completion_id(self.job_id),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
        }

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        unused = {"usage": None} if self.include_usage else {}
        return self._line({**self._frame(), "choices": [choice], **unused, **more})

    def _line(self, value: dict[str, Any]) -> bytes:
        return b"data: " + jsonio.dumps(value) + b"\n\n"
