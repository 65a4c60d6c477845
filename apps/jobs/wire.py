"""The job object: how a job looks to a client, in answers and in the terminal event."""

from datetime import datetime
from urllib.parse import quote

from apps.jobs import details
from apps.jobs.events import Event
from apps.jobs.models import Job, Status


def job_object(job: Job) -> dict[str, object]:
    """The job object of the wire. Reads `job.project.slug`: select the project with the job."""
    left = details.read(job.details)
    return {
        "id": job.id,
        "object": "job",
        "kind": job.kind,
        "status": job.status,
        "project_id": job.project.slug,
        "model": job.model,
        "routed_from": job.requested_model if job.route else None,
        "route": job.route,
        "result": job.result,
        "content": left["content"],
        "structured_output": left["structured_output"],
        "usage": usage_object(job),
        "cost_usd": job.cost_microusd / 1_000_000,
        "estimated": job.estimated,
        "cost_attribution": {ref: cost / 1_000_000 for ref, cost in left["attribution"].items()},
        "web_search_requests": left["web_search_requests"],
        "thinking_tokens": left["thinking_tokens"],
        "overhead_tokens": left["overhead_tokens"],
        "num_turns": left["num_turns"] if job.started_at else 0,
        "stop_reason": job.stop_reason or None,
        "stop_sequence": job.stop_sequence,
        "tools_used": left["tools_used"],
        "permission_denials": left["permission_denials"],
        "artifacts": [{**each, "url": _artifact_url(job, each["name"])} for each in left["artifacts"]],
        "artifacts_skipped": left["artifacts_skipped"],
        "artifacts_skipped_count": left["artifacts_skipped_count"],
        "session_id": job.session_id or None,
        "error": _error(job),
        "created_at": _unix(job.created_at),
        "started_at": _unix(job.started_at),
        "finished_at": _unix(job.finished_at),
    }


def usage_object(job: Job) -> dict[str, int]:
    """Tokens by kind; `input_tokens` are those that were neither read from nor written to a cache."""
    kinds = {
        "input_tokens": job.input_tokens,
        "output_tokens": job.output_tokens,
        "cache_read_input_tokens": job.cache_read_input_tokens,
        "cache_creation_input_tokens": job.cache_creation_input_tokens,
    }
    return kinds | {"total_tokens": sum(kinds.values())}


def terminal_event(job: Job) -> Event:
    """The last event of a closed job: the same whether it is sent live or replayed years later."""
    kind = "done" if job.status == Status.COMPLETED else "error"
    return Event(job.last_sequence_number, kind, job_object(job))


def _artifact_url(job: Job, name: str) -> str:
    return f"/v1/jobs/{job.id}/artifacts/{quote(name)}"


def _error(job: Job) -> dict[str, object] | None:
    if not job.error_code:
        return None
    return {
        "code": job.error_code,
        "message": job.error_message,
        "upstream_status": job.upstream_status,
        "retry_after_seconds": job.retry_after_seconds,
    }


def _unix(moment: datetime | None) -> float | None:
    """Unix seconds, to the millisecond."""
    return None if moment is None else round(moment.timestamp(), 3)
