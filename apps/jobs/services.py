"""What can be done with jobs. Every interface comes through here; only `submit` makes a job."""

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

from apps.claude.spec import Outcome
from apps.jobs import eventlog, valkey
from apps.jobs.closing import close_queued
from apps.jobs.engines import credential
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, Lane
from apps.jobs.queue import ring
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey

CANCELLED = Outcome("cancelled", error_code="cancelled", error_message="The job was cancelled before it began.")
EXPIRED = Outcome("failed", error_code="expired", error_message="No worker was free in time; send the request again.")


class CredentialMissing(Exception):
    """The operator has configured nothing to call the model with; the message says what to set."""

    def __init__(self) -> None:
        super().__init__(
            "No credential for the Claude API is configured: set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or "
            "CLAUDE_CODE_OAUTH_TOKEN and restart the service."
        )


def submit(*, key: ApiKey, request: ChatRequest, request_id: str, now: datetime, lane: Lane = Lane.INTERACTIVE) -> Job:
    """Queue a chat for the key's project. Raises CredentialMissing."""
    if credential() is None:
        raise CredentialMissing
    job = Job(
        id=new_job_id(now),
        lane=lane,
        project=key.project,
        api_key=key,
        request_id=request_id[:64],
        model=request.model,
        requested_model=request.requested_model[:64],
        request=request.to_json(),
        cap_microusd=settings.JOB_MAX_COST_MICROUSD,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.JOB_TIMEOUT_SECONDS),
    )
    with transaction.atomic():
        job.save(force_insert=True)
        transaction.on_commit(ring)
    return job


def cancel(*, job: Job, now: datetime) -> bool:
    """End a queued job at once, and have the worker of a running one end it. False when it has ended already."""
    if close_queued(job=job, outcome=CANCELLED, now=now):
        return True
    marked = Job.objects.running().filter(pk=job.pk).update(cancel_requested_at=now)
    if marked:
        transaction.on_commit(partial(eventlog.tell_workers, cancel=job.pk))
    return bool(marked)


def abandon(*, job_id: str, now: datetime) -> bool:
    """Cancel a job that nobody follows any more; whether it was. While Valkey is away nobody knows, and it goes on."""
    try:
        if eventlog.has_followers(job_id):
            return False
    except valkey.ERRORS:
        return False
    job = Job.objects.select_related("project").get(pk=job_id)
    return job.is_open and cancel(job=job, now=now)


def revoke_running(*, key_id: int, now: datetime) -> int:
    """End all open jobs of a key that was revoked. How many there were."""
    jobs = Job.objects.unfinished().filter(api_key_id=key_id).select_related("project")
    return sum(cancel(job=job, now=now) for job in jobs)
