"""The life of a batch after it was made: a few of its items at a time become jobs, until none is left.

Called after each of its jobs' ends, and by the sweep; by any number of processes at once. Nothing here is remembered
between calls: an item that waits is one whose row says so, and it gets its job in the job's own transaction.
"""

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from apps.budgets.fitting import Amounts
from apps.budgets.services import BudgetExceeded
from apps.jobs import services as jobs
from apps.jobs.admission import Denied
from apps.jobs.batches import finishing
from apps.jobs.batches.items import request_of
from apps.jobs.batches.models import Batch, BatchItem, BatchStatus
from apps.jobs.batches.places import NoRoom, Place, Taken, room
from apps.jobs.models import Job, Lane
from apps.jobs.naming import UnknownNames
from apps.jobs.services import CredentialMissing
from apps.jobs.sessions import SessionBusy, SessionNotFound
from apps.keys.rates import RateLimited

MAX_OPEN = 32
"""Jobs of one batch that are queued or run at the same time; fewer where its key has less room."""
TRY_AGAIN = timedelta(seconds=30)
"""A batch without money asks this often whether there is some: each try counts as one of its key's requests."""
_BEGUN = (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS)
_UNASKED = {
    BatchStatus.CANCELLED: ("cancelled", "The batch was cancelled before this item was asked."),
    BatchStatus.EXPIRED: ("batch_expired", "The batch's time was over before this item was asked."),
}
_WRONG: dict[type[Exception], str] = {
    UnknownNames: "unknown_name",
    SessionNotFound: "session_not_found",
    SessionBusy: "session_busy",
}
"""What only shows when a job is to be made, by the word for it on the wire."""
# In the index's own words, so that SQLite sees that the small one of open jobs is meant.
_OPEN = (
    "SELECT COUNT(*) FROM jobs_job WHERE batch_id = %s AND status IN ('queued', 'in_progress') AND NOT (batch_id = '')"
)

logger = logging.getLogger(__name__)


class _Later(Exception):
    """No item can be submitted before something else happens; the sweep or a job's end tries again."""


def feed(*, batch_id: str, now: datetime) -> None:
    """Do what there is to do for a batch now: begin it, submit items, end what must end, finish it."""
    batch = Batch.objects.select_related("project", "api_key__project", "api_key__profile").get(pk=batch_id)
    if not batch.is_open or batch.finalizing_at:
        return
    if batch.status == BatchStatus.VALIDATING:
        begun = {"status": BatchStatus.IN_PROGRESS, "started_at": now}
        Batch.objects.filter(pk=batch_id, status=BatchStatus.VALIDATING).update(**begun)
        batch.status = BatchStatus.IN_PROGRESS
    if batch.ending == BatchStatus.COMPLETED and not batch.api_key.is_usable(now=now):
        _end(batch, BatchStatus.CANCELLED, status=BatchStatus.CANCELLING, now=now)
    elif batch.ending == BatchStatus.COMPLETED and batch.expires_at <= now:
        _end(batch, BatchStatus.EXPIRED, status=BatchStatus.IN_PROGRESS, now=now)
    if batch.ending == BatchStatus.COMPLETED:
        _submit_some(batch, now)
    else:
        _stop(batch, now)
    # In this order: an item leaves the first in the moment in which its job enters the second.
    if not BatchItem.objects.of(batch_id).waiting().exists() and not open_jobs(batch_id):
        finishing.finish(batch=batch, now=now)


def go_on(*, batch_id: str, now: datetime) -> None:
    """A job of this batch has ended: feed it, and if all its items have been submitted, the next one of its key."""
    feed(batch_id=batch_id, now=now)
    if not BatchItem.objects.of(batch_id).waiting().exists():
        others = Batch.objects.unfinished().filter(api_key__batches=batch_id, finalizing_at=None).exclude(pk=batch_id)
        unasked = others.filter(Exists(BatchItem.objects.waiting().filter(batch=OuterRef("pk"))))
        for other in unasked.order_by("id").values_list("pk", flat=True)[:1]:
            feed(batch_id=other, now=now)


def tend(*, now: datetime) -> int:
    """Look after every batch that has not ended. How many there were."""
    unfinished = list(Batch.objects.unfinished().order_by("id").values_list("pk", "finalizing_at"))
    for batch_id, finalizing_at in unfinished:
        try:
            if finalizing_at:
                finishing.finish_again(batch_id=batch_id, now=now)
            else:
                feed(batch_id=batch_id, now=now)
        except Exception:  # one that cannot go on must not keep the others from it
            logger.exception("batch %s could not be tended", batch_id)
    return len(unfinished)


def open_jobs(batch_id: str) -> int:
    """How many of its jobs are queued or run."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [batch_id])
        return int(cursor.fetchone()[0])


def _submit_some(batch: Batch, now: datetime) -> None:
    """Submit items until enough of them are open, none is left, or what is needed has to come first."""
    if batch.tries_again_at and now < batch.tries_again_at:
        return
    while True:
        running = open_jobs(batch.pk)
        places = min(MAX_OPEN - running, room(batch.api_key))
        some = list(BatchItem.objects.of(batch.pk).waiting().in_order()[: max(0, places)])
        if not some:
            return
        try:
            for item in some:
                now += timedelta(microseconds=1)  # jobs are taken by age: in the order of their items
                running += _submit(batch, item, running, now)
        except _Later as later:
            logger.info("batch %s waits: %s", batch.pk, later)
            return


def _submit(batch: Batch, item: BatchItem, running: int, now: datetime) -> bool:
    """Whether the item has got its job here; else it has one already, or never will. Raises _Later."""
    try:
        _submit_job(batch, item, may_wait=batch.patient or running > 0, now=now)
    except Taken:
        return False
    except (NoRoom, RateLimited, CredentialMissing) as later:
        raise _Later(str(later)) from later
    except BudgetExceeded as short:
        if not short.hopeless and (running or batch.patient):
            if not running:  # else what its running jobs leave over may be enough
                _wait_for(batch, short, now)
            raise _Later(str(short)) from short
        return _refuse(item, "insufficient_quota", str(short))
    except Denied as denied:
        return _refuse(item, denied.code, str(denied))
    except tuple(_WRONG) as wrong:
        return _refuse(item, _WRONG[type(wrong)], str(wrong))
    if batch.waits_for:
        _wait_for(batch, None, now)
    return True


def _wait_for(batch: Batch, short: BudgetExceeded | None, now: datetime) -> None:
    """Note what the batch waits for, or that it goes on."""
    batch.waits_for = batch.tries_again_at = None
    if short:
        resets_at, soon = short.resets_at, now + TRY_AGAIN
        batch.waits_for = {
            "code": "insufficient_quota",
            "message": str(short),
            "resets_at": resets_at and resets_at.timestamp(),
        }
        batch.tries_again_at = resets_at if resets_at and now < resets_at < soon else soon
    Batch.objects.filter(pk=batch.pk).update(waits_for=batch.waits_for, tries_again_at=batch.tries_again_at)


def _submit_job(batch: Batch, item: BatchItem, *, may_wait: bool, now: datetime) -> None:
    share = Amounts(item.share_microusd, item.share_tokens)
    place = Place(batch_id=batch.pk, index=item.index, share=share, expires_at=batch.expires_at, may_wait=may_wait)
    jobs.submit(
        key=batch.api_key,
        request=request_of(item),
        request_id=batch.request_id,
        now=now,
        lane=Lane.BATCH,
        place=place,
    )


def _refuse(item: BatchItem, code: str, message: str) -> bool:
    """Note why an item has no job. False, as it got none."""
    error = {"code": code, "message": message}
    BatchItem.objects.waiting().filter(pk=item.pk).update(waiting=False, error=error, request=None)
    return False


def _end(batch: Batch, ending: BatchStatus, *, status: BatchStatus, now: datetime) -> None:
    """Decide how a batch that goes on will end. Whoever decided first has decided."""
    cancelling_at = now if status == BatchStatus.CANCELLING else None
    undecided = Batch.objects.filter(pk=batch.pk, status__in=_BEGUN, ending=BatchStatus.COMPLETED)
    undecided.update(ending=ending, status=status, cancelling_at=cancelling_at)
    batch.refresh_from_db(fields=["ending", "status"])


def _stop(batch: Batch, now: datetime) -> None:
    """Ask nothing more, and end what was asked."""
    code, message = _UNASKED[BatchStatus(batch.ending)]
    if batch.waits_for and batch.ending == BatchStatus.EXPIRED:
        message = f"{message} It waited for its budget. {batch.waits_for['message']}"
    error = {"code": code, "message": message}
    BatchItem.objects.of(batch.pk).waiting().update(waiting=False, error=error, request=None)
    with transaction.atomic():
        unfinished = list(Job.objects.unfinished().of_batch(batch.pk).select_related("project"))
    for job in sorted(unfinished, key=lambda job: job.started_at is not None):  # queued ones first
        jobs.cancel(job=job, now=now)
