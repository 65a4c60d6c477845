"""A job's events as clients see them over WebSocket, in `/events` as SSE and as JSON. Pure."""

from collections.abc import Mapping
from typing import Any

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
    return {**head, **event.data}


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name not in _NOT_REPEATED}
