"""A job's events as clients see them over WebSocket, in `/events` as SSE and as JSON. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from apps.api import jsonio
from apps.api.outcomes import of_job
from apps.jobs.events import Event

_NOT_REPEATED = frozenset({"id", "object", "error"})
"""Of the job object: a frame says `job_id`, and `id` echoes the client's own."""


def frame(event: Event, job_id: str) -> dict[str, Any]:
    """One event: type, job_id, sequence_number, and what belongs to the type."""
    head = {"type": event.type, "job_id": job_id, "sequence_number": event.sequence_number}
    match event.type:
        case "token" | "thinking":
            return {**head, "content": event.data["text"]}
        case "done":
            return {**head, **_job(event.data)}
        case "error":
            problem = of_job(event.data)
            return {**head, "code": problem.code, "message": problem.message, **_job(event.data)}
        case "started":
            return {**head, **event.data}
    return {**head, **_call(event.data)}


def encoded(event: Event, job_id: str) -> bytes:
    """The frame as JSON. A token that hundreds follow is written once."""
    if event.type == "token":
        return _encoded_token(job_id, event.sequence_number, str(event.data["text"]))
    return jsonio.dumps(frame(event, job_id))


@lru_cache(maxsize=4096)
def _encoded_token(job_id: str, sequence_number: int, text: str) -> bytes:
    return jsonio.dumps(frame(Event(sequence_number, "token", {"text": text}), job_id))


def _call(data: Mapping[str, Any]) -> dict[str, Any]:
    """What tells of a tool call: its id is not the frame's."""
    return {"tool_use_id" if name == "id" else name: value for name, value in data.items()}


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name not in _NOT_REPEATED}
