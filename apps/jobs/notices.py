"""Telling the operators that a cost has drifted: by webhook and e-mail, tried until it is taken.

A drift is nobody's budget: it goes where `ALERT_WEBHOOK_URL` and `ALERT_EMAILS` say, and is sent as alerts are.
"""

from datetime import datetime
from typing import Any

from django.conf import settings

from apps.audit import services as audit
from apps.jobs.events import dumps
from apps.jobs.noticemodels import DriftNotice
from apps.jobs.rollups import Drift
from apps.keys import sending
from apps.keys.sending import SendHook
from apps.keys.webhooks import Post
from apps.permissions.words import dollars

_aside = sending.Aside("drift notices")


def announce(*, drift: Drift, now: datetime) -> None:
    """Have the operators told of it. Call it in the transaction that raises it, once."""
    hooks = [(DriftNotice.Channel.WEBHOOK, settings.ALERT_WEBHOOK_URL)] if settings.ALERT_WEBHOOK_URL else []
    mails = [(DriftNotice.Channel.EMAIL, address) for address in settings.ALERT_EMAILS]
    DriftNotice.objects.bulk_create(
        DriftNotice(drift=drift, channel=channel, destination=destination, next_attempt_at=now)
        for channel, destination in [*hooks, *mails]
    )


def deliver_aside(*, now: datetime) -> bool:
    """`deliver` in a thread of its own, for callers that may not wait. False where there is nothing to do."""
    return _aside.begin(DriftNotice.objects.due(now), lambda: deliver(now=now))


def deliver(*, now: datetime, limit: int = 20, send_hook: SendHook = sending.send_hook) -> int:
    """Try what is due; how many were delivered. May take half a minute: call it in a thread that may wait."""
    due = DriftNotice.objects.due(now).select_related("drift")[:limit]
    claimed = [each for each in due if sending.claim(each, now=now)]
    hooks = [each for each in claimed if each.channel == DriftNotice.Channel.WEBHOOK]
    errors = dict(zip(hooks, sending.post_all([_post(each) for each in hooks], send_hook, now=now), strict=True))
    for each in claimed:
        if each.channel == DriftNotice.Channel.EMAIL:
            errors[each] = sending.send_mail(each.destination, _headline(each.drift), facts(each.drift))
    return sum(_note(each, error, now=now) for each, error in errors.items())


def facts(drift: Drift) -> dict[str, Any]:
    """What a notice tells: to machines by name, to people line by line."""
    return {
        "day": drift.day.isoformat(),
        "model": drift.model,
        "measure": drift.measure,
        "metered_microusd": drift.metered_microusd,
        "other_microusd": drift.other_microusd,
    }


def _headline(drift: Drift) -> str:
    metered, other = dollars(drift.metered_microusd), dollars(drift.other_microusd)
    figures = f"{metered} metered, {other} by {drift.get_measure_display()}"
    return f"What {drift.model} costs differs on {drift.day}: {figures}"


def _post(notice: DriftNotice) -> Post:
    drift = notice.drift
    body = {"type": "cost.drifted", "timestamp": drift.created_at.isoformat(), "data": facts(drift)}
    secret = settings.ALERT_WEBHOOK_SECRET
    return Post(id=f"drift_{notice.pk}", url=notice.destination, secret=secret, body=dumps(body).encode())


def _note(notice: DriftNotice, error: str, *, now: datetime) -> bool:
    def give_up() -> None:
        audit.record(
            actor="system",
            action="alert.abandoned",
            target_type="model",
            target_id=notice.drift.model,
            outcome="failed",
            reason=error[:200],
            data={"channel": notice.channel, "attempts": notice.attempts},
            now=now,
        )

    return sending.note(notice, error, now=now, give_up=give_up)
