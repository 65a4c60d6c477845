"""A job as OpenAI's chat completion, whole or in chunks. Pure.

`job` is always the job object of the wire, as the terminal event carries it.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.api import jsonio
from apps.api.problems import Problem

DONE = b"data: [DONE]\n\n"
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


def completion_id(job_id: str) -> str:
    """OpenAI's id of the answer that a job gives."""
    return f"chatcmpl-{job_id.removeprefix('job_')}"


def finish_reason(stop_reason: str | None) -> str:
    """OpenAI's word for Anthropic's; unknown ones are an ordinary stop."""
    return FINISH_REASONS.get(stop_reason or "", "stop")


def usage(job: dict[str, Any]) -> dict[str, Any]:
    """Token counts: the prompt is all that was read, cached and freshly cached input included."""
    counts = job["usage"]
    read, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
    prompt, completion = counts["input_tokens"] + read + written, counts["output_tokens"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def x_claude(job: dict[str, Any]) -> dict[str, Any]:
    """What OpenAI has no field for."""
    counts = job["usage"]
    return {
        "job_id": job["id"],
        "model": job["model"],
        "routed_from": job.get("routed_from"),
        "route": job.get("route"),
        "cost_usd": job["cost_usd"],
        "stop_reason": job["stop_reason"],
        "input_tokens": counts["input_tokens"],
        "output_tokens": counts["output_tokens"],
        "cache_read_input_tokens": counts["cache_read_input_tokens"],
        "cache_creation_input_tokens": counts["cache_creation_input_tokens"],
    }


def completion(job: dict[str, Any], *, created: int) -> dict[str, Any]:
    """The answer to a request without `stream`. `created` is in Unix seconds."""
    message: dict[str, Any] = {"role": "assistant", "content": job["result"] or "", "refusal": None, "annotations": []}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason(job["stop_reason"]),
    }
    return {
        "id": completion_id(job["id"]),
        "object": "chat.completion",
        "created": created,
        "model": job["model"],
        "choices": [choice],
        "usage": usage(job),
        "system_fingerprint": None,
        "service_tier": None,
        "x_claude": x_claude(job),
    }


@dataclass(frozen=True)
class Chunks:
    """Writes the chunks of one streamed answer as SSE."""

    job_id: str
    model: str
    created: int
    """Unix seconds."""
    include_usage: bool

    def first(self) -> bytes:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def texts(self, texts: list[str]) -> bytes:
        """One chunk for every piece of the answer."""
        head, tail = self._around_text
        return b"".join(head + jsonio.dumps(text) + tail for text in texts)

    def last(self, job: dict[str, Any]) -> bytes:
        """Why it ended, the usage if it was asked for, and the end mark."""
        end = self._chunk({}, finish_reason=finish_reason(job["stop_reason"]), x_claude=x_claude(job))
        if self.include_usage:
            end += self._line({**self._frame(), "choices": [], "usage": usage(job)})
        return end + DONE

    def failed(self, problem: Problem) -> bytes:
        """The error of an answer that had begun, and the end mark."""
        return self._line(problem.body()) + DONE

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
