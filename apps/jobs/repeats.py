"""A job that was asked for before, under the same idempotency key."""

from datetime import datetime

from apps.jobs import idempotency
from apps.jobs.idempotency import IdempotentRequest, Once
from apps.jobs.models import Job, Status
from apps.keys.models import ApiKey

WORTH_ANOTHER_TRY = frozenset(
    {"cli_error", "worker_lost", "expired", "upstream_error", "overloaded", "rate_limited", "internal_error"}
)
"""Errors that say nothing about the request: a client that repeats it wants it done, not told of the failure again."""


def earlier(*, key: ApiKey, once: Once, now: datetime) -> tuple[Job | None, IdempotentRequest | None]:
    """The job that stands for the idempotency key, or, where it came to nothing, what a new one takes the place of.

    Raises IdempotencyKeyReused.
    """
    row = idempotency.find(key=key, once=once, now=now)
    if row is None or not row.target:
        return None, row
    job = Job.objects.of(key.project).filter(pk=row.target).select_related("project", "api_key").first()
    if job is None or (job.status == Status.FAILED and job.error_code in WORTH_ANOTHER_TRY):
        return None, row
    return job, row
