"""Completion webhooks: whoever named a URL with a task is told of its end, signed, and tried until it is taken.

The message is https://www.standardwebhooks.com's, from `apps.keys.webhooks`; the secret is the project's.
"""

from datetime import datetime

from django.db import transaction

from apps.audit import services as audit
from apps.jobs.events import dumps
from apps.jobs.models import Job
from apps.jobs.taskmodels import Delivery
from apps.jobs.wire import job_object
from apps.keys import sending, signing
from apps.keys.models import Project
from apps.keys.sending import SendHook
from apps.keys.webhooks import Post

_aside = sending.Aside("webhooks")


class NothingToDeliver(Exception):
    """The job named no webhook, or has not ended."""

    def __init__(self, job: Job) -> None:
        why = "it has not ended" if job.is_open else "it named no webhook_url"
        super().__init__(f"There is nothing to deliver of {job.pk}: {why}.")


def secret(project: Project) -> str:
    """What receivers check the project's webhooks with."""
    return signing.webhook_secrets(project)[0]


def announce(*, job: Job, now: datetime) -> None:
    """Have the job's webhook sent, if it named one. Call it in the transaction that ends the job."""
    if url := job.request.get("webhook_url"):
        Delivery.objects.create(job=job, url=url, next_attempt_at=now)


def redeliver(*, job: Job, actor: str, now: datetime) -> Delivery:
    """Send it again from the start, delivered or not. Raises NothingToDeliver."""
    with transaction.atomic():
        again = {"attempts": 0, "next_attempt_at": now, "delivered_at": None, "error": ""}
        if job.is_open or not Delivery.objects.filter(job=job).update(**again):
            raise NothingToDeliver(job)
        _record("webhook.requeued", job, actor=actor, now=now)
    return Delivery.objects.get(job=job)


def deliver_aside(*, now: datetime) -> bool:
    """`deliver` in a thread of its own, for callers that may not wait. False if nothing is due or one is at it."""
    return _aside.begin(Delivery.objects.due(now), lambda: deliver(now=now))


def deliver(*, now: datetime, limit: int = 20, send_hook: SendHook = sending.send_hook) -> int:
    """Try what is due; how many were delivered. May take ten seconds: call it in a thread that may wait."""
    due = Delivery.objects.due(now).select_related("job__project")[:limit]
    claimed = [each for each in due if sending.claim(each, now=now)]
    if not claimed:
        return 0
    posts = [_post(each) for each in claimed]
    errors = sending.post_all(posts, send_hook, now=now)
    return sum(_note(each, error, now=now) for each, error in zip(claimed, errors, strict=True))


def _post(delivery: Delivery) -> Post:
    job = delivery.job
    told = {"type": f"job.{job.status}", "timestamp": (job.finished_at or job.created_at).isoformat()}
    body = dumps({**told, "data": job_object(job)}).encode()
    today, *earlier = signing.webhook_secrets(job.project)
    return Post(id=f"msg_{job.pk}", url=delivery.url, secret=today, earlier_secrets=tuple(earlier), body=body)


def _note(delivery: Delivery, error: str, *, now: datetime) -> bool:
    def give_up() -> None:
        _record("webhook.abandoned", delivery.job, actor="system", outcome="failure", reason=error[:200], now=now)

    return sending.note(delivery, error, now=now, give_up=give_up)


def _record(action: str, job: Job, *, actor: str, outcome: str = "ok", reason: str = "", now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="job",
        target_id=job.pk,
        project_id=job.project.slug,
        outcome=outcome,
        reason=reason,
        now=now,
    )
