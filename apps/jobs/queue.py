"""How a worker comes by its next job: a bell without a message, and a claim that decides by the rows."""

import logging
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection
from django_q.tasks import async_task

from apps.jobs import valkey
from apps.jobs.broker import RingBroker
from apps.jobs.ids import created_at
from apps.jobs.models import Job, Lane, Status
from apps.keys.models import Project

LEASE_SECONDS = 12.0

# By hand, because the ORM takes 6 ms of CPU to write the first, three times for each job. Only the oldest queued job of
# each project is compared, so that a long queue costs a walk over one small index.
_HEAD = """
    SELECT head.id FROM jobs_job head
    WHERE head.id IN (SELECT MIN(id) FROM jobs_job WHERE status = 'queued' AND lane <= %s GROUP BY lane, project_id)
    ORDER BY
        head.lane,
        (SELECT COUNT(*) FROM jobs_job own WHERE own.status = 'in_progress' AND own.project_id = head.project_id),
        head.id
    LIMIT 1
"""
_JOB = """
    SELECT job.*, project.slug AS project_slug
    FROM jobs_job job JOIN keys_project project ON project.id = job.project_id WHERE job.id = %s
"""


def ring() -> None:
    """Wake a worker. Losing a ring costs a second (workers look by themselves), an extra one costs nothing."""
    try:
        async_task("apps.jobs.execution.ring_bell", broker=_broker())
    except valkey.ERRORS as error:
        logging.getLogger(__name__).warning("could not ring for a worker: %s", error)


def claim(*, worker: str, now: datetime, last_lane: Lane = Lane.BATCH) -> Job | None:
    """Take the next job for a worker, or None when nothing waits in the lanes up to `last_lane`.

    Interactive before batch; then the project with the fewest running jobs; then the oldest. The job's project has its
    id and slug only. When another worker takes the same job in the same moment the search begins anew, and each new
    search means that somebody else has got a job.
    """
    lease_until = now + timedelta(seconds=LEASE_SECONDS)
    taken = {"status": Status.IN_PROGRESS, "worker": worker, "lease_until": lease_until}
    while job_id := _head(last_lane):
        taken["started_at"] = max(now, created_at(job_id))  # it may have come while we looked
        if Job.objects.queued().filter(pk=job_id).update(**taken):
            [job] = Job.objects.raw(_JOB, [job_id])
            job.project = Project(id=job.project_id, slug=vars(job)["project_slug"])
            return job
    return None


def _head(last_lane: Lane) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, [last_lane])
        row = cursor.fetchone()
    return row[0] if row else None


@lru_cache(maxsize=1)
def _broker() -> RingBroker:
    return RingBroker()
