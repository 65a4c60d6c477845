"""A batch as clients of `/v1/batch` see it. Reads the database."""

from collections.abc import Sequence
from typing import Any

from apps.jobs.batches import finishing
from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.models import Job
from apps.jobs.wire import job_object

_OF_THE_JOB = (
    "model", "routed_from", "result", "content", "structured_output", "usage", "cost_usd", "num_turns", "stop_reason",
    "tools_used", "permission_denials", "artifacts", "artifacts_skipped", "artifacts_skipped_count", "session_id",
)  # fmt: skip
_NOT_ASKED = {"cancelled": "cancelled", "batch_expired": "cancelled"}


def batch_object(batch: Batch) -> dict[str, Any]:
    """The batch without its items' results. Reads `batch.project`."""
    found = finishing.counts(batch)
    open_ = batch.total - found.completed - found.failed
    return {
        "id": batch.pk,
        "object": "batch",
        "status": batch.status,
        "project_id": batch.project.slug,
        "counts": {"total": batch.total, "completed": found.completed, "failed": found.failed, "open": open_},
        "progress": 1 - open_ / batch.total if batch.total else 1.0,
        "cost_usd": found.cost_microusd / 1_000_000,
        "waiting_for": batch.waits_for,
        "metadata": batch.metadata,
        "created_at": batch.created_at.timestamp(),
        "started_at": batch.started_at and batch.started_at.timestamp(),
        "finished_at": batch.finished_at and batch.finished_at.timestamp(),
        "expires_at": batch.expires_at.timestamp(),
    }


def with_results(batch: Batch, *, after: int = -1, limit: int) -> dict[str, Any]:
    """The batch with the results of its items behind `after`, in order."""
    items = list(BatchItem.objects.of(batch.pk).in_order().filter(index__gt=after)[: limit + 1])
    return {**batch_object(batch), "results": results(items[:limit]), "has_more": len(items) > limit}


def results(items: Sequence[BatchItem]) -> list[dict[str, Any]]:
    """What became of each item so far."""
    ids = [item.job_id for item in items if item.job_id]
    jobs = {job.pk: job for job in Job.objects.filter(pk__in=ids).select_related("project")}
    return [_result(item, jobs.get(item.job_id)) for item in items]


def _result(item: BatchItem, job: Job | None) -> dict[str, Any]:
    head = {"index": item.index, "custom_id": item.custom_id or None, "kind": item.kind or None}
    if job is None:
        error = item.error
        status = "waiting" if error is None else _NOT_ASKED.get(str(error["code"]), "failed")
        return {**head, "status": status, "job_id": None, "result": None, "error": _shown(error)}
    told = job_object(job)
    return {
        **head,
        "status": job.status,
        "job_id": job.pk,
        **{name: told[name] for name in _OF_THE_JOB},
        "error": told["error"],
    }


def _shown(error: dict[str, Any] | None) -> dict[str, Any] | None:
    return error and {name: error.get(name) for name in ("code", "message", "param")}
