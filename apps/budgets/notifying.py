"""Sending alerts: tried until they are taken, from rows, so that nothing is lost with a process.

The sweep calls `deliver_aside`. Any number of processes may do so at once: each attempt is claimed by one UPDATE.
"""

import json
import logging
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.budgets.models import Alert, Notification
from apps.keys import sending
from apps.keys.sending import SendHook
from apps.keys.webhooks import Post
from apps.permissions.words import dollars

_log = logging.getLogger(__name__)
_aside = sending.Aside("alerts")


def deliver_aside(*, now: datetime) -> bool:
    """`deliver_alerts` in a thread of its own, for callers that may not wait. False where there is nothing to do."""
    return _aside.begin(Notification.objects.due(now), lambda: deliver_alerts(now=now))


def deliver_alerts(*, now: datetime, limit: int = 20, send_hook: SendHook = sending.send_hook) -> int:
    """Try what is due; how many were delivered. May take half a minute: call it in a thread that may wait."""
    claimed = [each for each in Notification.objects.due(now)[:limit] if sending.claim(each, now=now)]
    if not claimed:
        return 0
    hooks = [each for each in claimed if each.channel == Notification.Channel.WEBHOOK]
    mails = [each for each in claimed if each.channel == Notification.Channel.EMAIL]
    posts = [_post(each) for each in hooks]
    errors = dict(zip(hooks, sending.post_all(posts, send_hook, now=now), strict=True))
    errors |= {each: _send_mail(each) for each in mails}
    return sum(_note(each, error, now=now) for each, error in errors.items())


def _send_mail(notification: Notification) -> str:
    alert = notification.alert
    return sending.send_mail(notification.destination, _headline(alert), facts(alert))


def _note(notification: Notification, error: str, *, now: datetime) -> bool:
    def give_up() -> None:
        _give_up(notification, error, now=now)

    return sending.note(notification, error, now=now, give_up=give_up)


def _give_up(notification: Notification, error: str, *, now: datetime) -> None:
    budget = notification.alert.window.budget
    _log.warning("alert %s could not be delivered: %s", notification.alert_id, error)
    audit.record(
        actor="system",
        action="alert.abandoned",
        target_type="budget",
        target_id=str(budget.pk),
        project_id=budget.project.slug,
        outcome="failed",
        reason=error[:200],
        ip=None,
        data={"channel": notification.channel, "attempts": notification.attempts},
        now=now,
    )


def _post(notification: Notification) -> Post:
    budget = notification.alert.window.budget
    body = {
        "type": "budget.threshold_crossed",
        "timestamp": notification.alert.created_at.isoformat(),
        "data": facts(notification.alert),
    }
    return Post(
        id=f"alert_{notification.pk}",
        url=notification.destination,
        secret=budget.webhook_secret,
        body=json.dumps(body).encode(),
    )


def facts(alert: Alert) -> dict[str, Any]:
    """What an alert tells: to machines by name, to people line by line."""
    budget, window = alert.window.budget, alert.window
    return {
        "project_id": budget.project.slug,
        "key_id": budget.api_key.public_id if budget.api_key else None,
        "budget_id": budget.pk,
        "budget": budget.name or None,
        "period": budget.period,
        "rolling": budget.rolling,
        "threshold_percent": alert.threshold,
        f"spent_{alert.measure}": alert.spent,
        f"limit_{alert.measure}": alert.limit,
        "period_starts_at": alert.period_starts_at.isoformat(),
        "resets_at": window.ends_at.isoformat() if window.ends_at else None,
    }


def _headline(alert: Alert) -> str:
    budget = alert.window.budget
    whose = f"project {budget.project.slug}" if budget.scope == "project" else f"a key of {budget.project.slug}"
    if alert.measure == "microusd":
        spent, limit = dollars(alert.spent), dollars(alert.limit)
    else:
        spent, limit = f"{alert.spent:,}", f"{alert.limit:,} tokens"
    return f"{alert.threshold} % of a budget is spent: {whose}, {spent} of {limit} {budget.span}"
