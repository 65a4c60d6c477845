"""What people do here that no lower floor puts on record by itself."""

from django.db import transaction

from apps.audit import services as audit
from apps.dashboard.visits import Visit
from apps.jobs import services as jobs
from apps.jobs.models import Job


def cancel(*, job: Job, visit: Visit) -> bool:
    """End a job, and say who wanted it. False if it has ended already."""
    with transaction.atomic():
        if not jobs.cancel(job=job, now=visit.now):
            return False
        audit.record(
            **visit.deed,
            action="job.cancel_requested",
            target_type="job",
            target_id=job.pk,
            project_id=visit.project.slug,
            request_id=job.request_id,
        )
    return True
