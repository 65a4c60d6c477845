"""What can be done with jobs. Every interface comes through here; only `submit` makes a job."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.budgets.services import BudgetExceeded
from apps.claude.spec import Outcome
from apps.jobs import admission, eventlog, idempotency, news, refusals, repeats, routes, sessions, usage, valkey
from apps.jobs.admission import Denied
from apps.jobs.batches.places import Place
from apps.jobs.closing import close_queued
from apps.jobs.engines import credential
from apps.jobs.idempotency import IdempotencyKeyReused, Once
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, Lane
from apps.jobs.queue import ring
from apps.jobs.requests import ChatRequest, Request
from apps.jobs.routes import AUTO
from apps.keys.models import ApiKey
from apps.keys.rates import RateLimited
from apps.keys.services import InvalidKey

__all__ = [
    "BudgetExceeded",
    "CredentialMissing",
    "Denied",
    "IdempotencyKeyReused",
    "Once",
    "RateLimited",
    "abandon",
    "cancel",
    "revoke_running",
    "submit",
]

QUEUE = timedelta(minutes=10)
"""A job that no worker has taken for so long is closed as expired."""
CANCELLED = Outcome("cancelled", error_code="cancelled", error_message="The job was cancelled before it began.")
EXPIRED = Outcome("failed", error_code="expired", error_message="No worker was free in time; send the request again.")


class CredentialMissing(Exception):
    """The operator has configured nothing to call the model with; the message says what to set."""

    def __init__(self) -> None:
        super().__init__(
            "No credential for the Claude API is configured: set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or "
            "CLAUDE_CODE_OAUTH_TOKEN and restart the service."
        )


def submit(
    *,
    key: ApiKey,
    request: Request,
    request_id: str,
    now: datetime,
    lane: Lane = Lane.INTERACTIVE,
    once: Once | None = None,
    place: Place | None = None,
) -> Job:
    """Queue a job: routed, paced, granted, its cap held in every budget of its key, on record, or not at all.

    `rate` of the job is where its key's limits stand. Raises CredentialMissing, UnknownNames, SessionNotFound,
    SessionBusy, RateLimited, Denied or BudgetExceeded; the latter three are on record too. With `once` it is the job
    that was submitted under that idempotency key before, whose `request_id` is another; raises IdempotencyKeyReused.
    With `place` it is an item of a batch; raises Taken if that has a job.
    """
    if credential() is None:
        raise CredentialMissing
    made, failed = repeats.earlier(key=key, once=once, now=now) if once else (None, None)
    if made:
        return made
    chosen = routes.route(key=key, request=request, now=now) if request.model == AUTO else None
    asked = admission.completed(key=key, request=request.answered_by(chosen.model) if chosen else request)
    job = _new_job(key, asked, request_id, lane, place, now)
    job.route = chosen.to_json() if chosen else None
    tokens = admission.reckoned_tokens(asked, admission.size_of(job.request))
    try:
        with admission.paced(key=key, job=job, tokens=tokens) as job.rate, transaction.atomic():
            if place:
                place.enter(key)
            grant = admission.permit(key=key, request=asked)
            job.grant = grant.to_json()
            job.cap_microusd = admission.hold(key=key, grant=grant, tokens=tokens, job_id=job.id, place=place, now=now)
            job.session_id = _session(key, asked, job.id, now)
            if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).exists():
                raise InvalidKey  # what was read of it is up to half a second old
            job.save(force_insert=True)
            _record("job.submitted", key, job, {"cap_microusd": job.cap_microusd}, now=now)
            if place:
                place.take(job.id)
            if once:
                idempotency.remember(key=key, once=once, target=job.id, instead_of=failed, now=now)
            transaction.on_commit(ring)
            news.tell(job.project_id)
    except idempotency.Raced:
        return submit(key=key, request=request, request_id=request_id, now=now, lane=lane, once=once)
    except (Denied, BudgetExceeded, RateLimited) as refused:
        _note_refusal(key, job, refused, place, now=now)
        raise
    if chosen:
        routes.remember(key=key, decision=chosen.decision)
    return job


def _note_refusal(
    key: ApiKey, job: Job, refused: Denied | BudgetExceeded | RateLimited, place: Place | None, *, now: datetime
) -> None:
    """Put a refusal on record, unless it is the same as moments ago, or the item of a batch will be tried again."""
    if isinstance(refused, RateLimited):
        if refusals.is_news(key.pk, refused):
            _record_refusal(key, job, refused, now=now)
    elif not (place and place.may_wait and isinstance(refused, BudgetExceeded) and not refused.hopeless):
        with transaction.atomic():
            _record_refusal(key, job, refused, now=now)
            usage.note_refusal(job, "denied" if isinstance(refused, Denied) else "budget_exceeded", now=now)


def _session(key: ApiKey, request: Request, job_id: str, now: datetime) -> str:
    """The session of a new job: a task always has one, a chat only if it wants one."""
    if isinstance(request, ChatRequest):
        if not request.session_id:
            return ""
        named = {"session_id": request.session_id, "follows": request.follows}
        return sessions.go_on(project=key.project, **named, job_id=job_id, now=now)
    return sessions.enter(project=key.project, kind=request.kind, session_id=request.session_id, job_id=job_id, now=now)


def _record_refusal(key: ApiKey, job: Job, refused: Denied | BudgetExceeded | RateLimited, *, now: datetime) -> None:
    _record("job.refused", key, job, refusals.facts(refused), outcome="refused", reason=str(refused), now=now)


def _record(
    action: str,
    key: ApiKey,
    job: Job,
    data: Mapping[str, Any],
    *,
    outcome: str = "ok",
    reason: str = "",
    now: datetime,
) -> None:
    audit.record(
        actor=f"key:{key.public_id}",
        action=action,
        target_type="job",
        target_id=job.id,
        project_id=key.project.slug,
        outcome=outcome,
        reason=reason,
        data={"kind": job.kind, "model": job.model, "profile": key.profile.slug if key.profile else None, **data},
        request_id=job.request_id,
        now=now,
    )


def _new_job(key: ApiKey, request: Request, request_id: str, lane: Lane, place: Place | None, now: datetime) -> Job:
    return Job(
        id=new_job_id(now),
        kind=request.kind,
        lane=lane,
        project=key.project,
        api_key=key,
        request_id=request_id[:64],
        model=request.model,
        requested_model=request.requested_model[:64],
        request=request.to_json(),
        session_id=request.session_id,
        cap_microusd=settings.JOB_MAX_COST_MICROUSD,
        batch_id=place.batch_id if place else "",
        batch_index=place.index if place else None,
        created_at=now,
        expires_at=place.expires_at if place else now + min(QUEUE, timedelta(seconds=settings.JOB_TIMEOUT_SECONDS)),
    )


def cancel(*, job: Job, now: datetime) -> bool:
    """End a queued job at once, and have the worker of a running one end it. False when it has ended already."""
    if close_queued(job=job, outcome=CANCELLED, now=now):
        return True
    marked = Job.objects.running().filter(pk=job.pk).update(cancel_requested_at=now)
    if marked:
        transaction.on_commit(partial(eventlog.tell_workers, cancel=job.pk))
        news.tell(job.project_id)
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


def end_of_revoked_keys(*, now: datetime) -> int:
    """End what was submitted in the very moment in which its key was revoked. How many jobs."""
    keys = {
        key_id
        for some in (Job.objects.queued(), Job.objects.running())
        for key_id in some.filter(api_key__revoked_at__isnull=False).values_list("api_key_id", flat=True)
    }
    return sum(revoke_running(key_id=key_id, now=now) for key_id in keys)


def revoke_running(*, key_id: int, now: datetime) -> int:
    """End all open jobs of a key that was revoked, queued ones first. How many there were."""
    # Two queries, for each of the two has an index without the key's closed jobs, of which there may be millions.
    queued_first = (Job.objects.queued(), Job.objects.running())
    jobs = [job for some in queued_first for job in some.filter(api_key_id=key_id).select_related("project")]
    return sum(cancel(job=job, now=now) for job in jobs)
