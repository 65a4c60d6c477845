"""Every few seconds: what fell between is picked up. Any number of nodes may sweep at the same time."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from apps.audit import services as audit
from apps.audit.sealing import Raced
from apps.budgets import services as budgets
from apps.capabilities import services as capabilities
from apps.jobs import artifacts, database, deliveries, health, idempotency, notices, sessions, usage, valkey
from apps.jobs.batches import feeding
from apps.jobs.closing import close_lost, close_queued
from apps.jobs.ids import floor_id
from apps.jobs.models import Job, JobEvent
from apps.jobs.queue import ring
from apps.jobs.services import EXPIRED, end_of_revoked_keys
from apps.keys import expiry, ratelimit

INTERVAL_SECONDS = 5.0
RING_AGAIN_SECONDS = 1.0
DEFAULT_RETENTION_DAYS = 30
_AT_ONCE = 500
_YOUNG = timedelta(seconds=ratelimit.SLOT_LEASE_SECONDS / 3)

logger = logging.getLogger(__name__)


def sweep(*, node: str, now: datetime) -> None:
    """One round. `node` is this sweeper's name on the leases it takes over."""
    expire(now=now)
    end_of_revoked_keys(now=now)
    if Job.objects.queued().filter(created_at__lte=now - timedelta(seconds=RING_AGAIN_SECONDS)).exists():
        ring()
    prune(now=now)
    if usage.fold():
        usage.raise_drifts(now=now)
    feeding.tend(now=now)
    idempotency.prune(now=now)
    hold_slots(now=now)
    expiry.warn(now=now)
    expiry.deliver_aside(now=now)
    budgets.expire_holds(now=now)
    budgets.deliver_aside(now=now)
    _seal(now=now)
    capabilities.scan_if_changed(now=now)
    deliveries.deliver_aside(now=now)
    notices.deliver_aside(now=now)
    sessions.prune(now=now)
    artifacts.prune_sometimes(now=now)
    database.checkpoint()
    try:
        close_lost_jobs(closer=node, where=Q(lease_until__lte=now), now=now)
        health.forget_silent_workers(now=now)
    except valkey.ERRORS as error:
        logger.warning("Valkey is away; lost jobs wait for it, as their bills are there: %s", error)


def _seal(*, now: datetime) -> None:
    """Chain what was recorded since the last round. Losing that race to other nodes is as good as winning it."""
    try:
        audit.seal(now=now)
    except Raced as raced:
        logger.info("the record is sealed by others: %s", raced)


def hold_slots(*, now: datetime) -> None:
    """Prolong the slots that open jobs have of their keys' concurrency. Young ones need it only the next time."""
    # Two queries, as each has an index of its own, without the closed jobs.
    for jobs in (Job.objects.queued(), Job.objects.running()):
        old_enough = jobs.filter(pk__lt=floor_id(now - _YOUNG)).values_list("api_key_id", "id")
        ratelimit.hold(jobs=old_enough.iterator(_AT_ONCE))


def expire(*, now: datetime) -> int:
    """Close queued jobs that nobody waits for any more. How many."""
    jobs = Job.objects.waited_too_long(now).select_related("project")[:_AT_ONCE]
    return sum(close_queued(job=job, outcome=EXPIRED, now=now) for job in jobs)


def close_lost_jobs(*, closer: str, where: Q, now: datetime) -> int:
    """Close running jobs that are lost, as `where` says. How many. Raises what Valkey raises when it is away."""
    closed = 0
    for job in Job.objects.running().filter(where).select_related("project")[:_AT_ONCE]:
        if close_lost(job=job, closer=closer, where=where, now=now):
            logger.error("job %s lost its worker %s and is closed", job.id, job.worker)
            closed += 1
    return closed


def prune(*, now: datetime) -> int:
    """Delete some of the events that are older than JOB_RETENTION_DAYS; results and bills stay. How many."""
    days = getattr(settings, "JOB_RETENTION_DAYS", DEFAULT_RETENTION_DAYS)
    old = list(JobEvent.objects.older_than(now - timedelta(days=days)).values_list("pk", flat=True)[:_AT_ONCE])
    return JobEvent.objects.filter(pk__in=old).delete()[0] if old else 0
