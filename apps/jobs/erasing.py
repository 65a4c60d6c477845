"""Forgetting what was said in a job, while what it cost and that it was stays."""

from datetime import datetime

from django.db import transaction

from apps.audit import services as audit
from apps.jobs import eventlog
from apps.jobs.models import Job, JobEvent

ERASED = {"erased": True}
"""What the request of such a job is."""


class StillRuns(Exception):
    """A job that has not ended cannot be erased; its message is for callers."""

    def __init__(self) -> None:
        super().__init__("It still runs: cancel it first.")


def erase(*, job: Job, actor: str, now: datetime) -> None:
    """Delete the words of a job that has ended: request, answer, transcript and log. Raises StillRuns."""
    with transaction.atomic():
        forgotten = {"request": ERASED, "result": None, "details": None, "stop_sequence": None}
        if not Job.objects.closed().filter(pk=job.pk).update(**forgotten):
            raise StillRuns
        JobEvent.objects.filter(job=job).delete()
        audit.record(
            actor=actor,
            action="job.erased",
            target_type="job",
            target_id=job.id,
            project_id=job.project.slug,
            now=now,
        )
        transaction.on_commit(lambda: eventlog.forget(job.id))


def is_erased(job: Job) -> bool:
    """Whether nothing is left of its words."""
    return job.request == ERASED
