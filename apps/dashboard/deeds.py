"""What people do here that no lower floor puts on record by itself."""

from django.db import transaction

from apps.audit import services as audit
from apps.dashboard.visits import Visit
from apps.jobs import services as jobs
from apps.jobs.batches import services as batches
from apps.jobs.batches.models import Batch
from apps.jobs.models import Job


def cancel_batch(*, batch: Batch, visit: Visit) -> bool:
    """Ask no more of a batch, and say who wanted it. False if it was ending already."""
    with transaction.atomic():
        if not batches.cancel(batch=batch, now=visit.now):
            return False
        audit.record(
            **visit.deed,
            action="batch.cancel_requested",
            target_type="batch",
            target_id=batch.pk,
            project_id=visit.project.slug,
            request_id=batch.request_id,
        )
    return True


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
