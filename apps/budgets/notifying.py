"""Sending alerts: tried until they are taken, from rows, so that nothing is lost with a process.

The sweep calls `deliver_aside`. Any number of processes may do so at once: each attempt is claimed by one UPDATE.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core import mail
from django.db import DatabaseError, connection, transaction

from apps.audit import services as audit
from apps.budgets import webhooks
from apps.budgets.models import Alert, Notification
from apps.budgets.webhooks import NotDelivered, Post
from apps.permissions.words import dollars

MOST_ATTEMPTS = 10
"""Over about five hours."""
MAIL_SECONDS = 10
_log = logging.getLogger(__name__)
_at_it = threading.Lock()

SendHook = Callable[[Post, int], Awaitable[None]]


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: half a minute, doubled each time, at most an hour."""
    return timedelta(seconds=min(30 << min(max(0, attempts - 1), 7), 3600))


def deliver_aside(*, now: datetime) -> bool:
    """`deliver_alerts` in a thread of its own, for callers that may not wait. False if nothing is due or one is at it.

    Not for a transaction: what it reads has to be committed.
    """
    if not Notification.objects.due(now).exists() or not _at_it.acquire(blocking=False):
        return False

    def deliver() -> None:
        try:
            deliver_alerts(now=now)
        except DatabaseError:
            _log.exception("alerts wait for the database")
        finally:
            connection.close()
            _at_it.release()

    threading.Thread(target=deliver, name="alerts", daemon=True).start()
    return True


async def _send_hook(post: Post, timestamp: int) -> None:
    await webhooks.send(post, timestamp=timestamp)


def deliver_alerts(*, now: datetime, limit: int = 20, send_hook: SendHook = _send_hook) -> int:
    """Try what is due; how many were delivered. May take half a minute: call it in a thread that may wait."""
    claimed = [each for each in Notification.objects.due(now)[:limit] if _claim(each, now=now)]
    if not claimed:
        return 0
    hooks = [each for each in claimed if each.channel == Notification.Channel.WEBHOOK]
    mails = [each for each in claimed if each.channel == Notification.Channel.EMAIL]
    posts = [_post(each) for each in hooks]
    errors = dict(zip(hooks, asyncio.run(_send_all(posts, int(now.timestamp()), send_hook)), strict=True))
    errors |= {each: _send_mail(each) for each in mails}
    return sum(_note(each, error, now=now) for each, error in errors.items())


def _claim(notification: Notification, *, now: datetime) -> bool:
    """This attempt is ours. Should we die in it, the next one comes after the usual pause."""
    seen = Notification.objects.filter(
        pk=notification.pk, attempts=notification.attempts, next_attempt_at=notification.next_attempt_at
    )
    notification.attempts += 1
    notification.next_attempt_at = now + pause(notification.attempts)
    return seen.update(attempts=notification.attempts, next_attempt_at=notification.next_attempt_at) > 0


async def _send_all(posts: Sequence[Post], timestamp: int, send_hook: SendHook) -> list[str]:
    """What went wrong with each, empty where nothing did."""

    async def attempt(post: Post) -> str:
        try:
            await send_hook(post, timestamp)
        except NotDelivered as error:
            return str(error)
        return ""

    return await asyncio.gather(*map(attempt, posts))


def _send_mail(notification: Notification) -> str:
    alert = notification.alert
    try:
        mail.send_mail(
            subject=_headline(alert),
            message="\n".join(f"{name}: {value}" for name, value in facts(alert).items() if value is not None),
            from_email=None,
            recipient_list=[notification.destination],
            connection=mail.get_connection(timeout=MAIL_SECONDS),
        )
    except (OSError, ValueError) as error:  # smtplib's are OSErrors; a header that cannot be is a ValueError
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def _note(notification: Notification, error: str, *, now: datetime) -> bool:
    row = Notification.objects.filter(pk=notification.pk, delivered_at=None)
    if not error:
        return row.update(delivered_at=now, next_attempt_at=None, error="") > 0
    row.update(error=error[:300])
    if notification.attempts >= MOST_ATTEMPTS:
        _give_up(notification, error, now=now)
    return False


def _give_up(notification: Notification, error: str, *, now: datetime) -> None:
    budget = notification.alert.window.budget
    _log.warning("alert %s could not be delivered: %s", notification.alert_id, error)
    with transaction.atomic():
        Notification.objects.filter(pk=notification.pk).update(next_attempt_at=None)
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
