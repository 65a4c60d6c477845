"""Keys that end soon: their project is told in time, thrice, and each of their requests is answered with the end.

What is told is a row for each destination, written with the record; sending is tried until it is taken, as budgets'
alerts are. The sweep calls `warn` and `deliver_aside`; any number of nodes may do so at once.
"""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from apps.keys import records, sending, signing
from apps.keys.destinations import split_emails
from apps.keys.models import ApiKey, KeyWarning, Membership, Project
from apps.keys.sending import SendHook
from apps.keys.webhooks import Post

DAYS = (14, 3, 1)
"""How long before its end a key is warned about, once each."""
SOON = timedelta(days=DAYS[0])
HEADER = "x-api-key-expires-at"
_AT_ONCE = 500
_log = logging.getLogger(__name__)
_aside = sending.Aside("key warnings")


def headers(key: ApiKey, *, now: datetime) -> dict[str, str]:
    """What answers to a key that ends soon carry besides: the moment, as RFC 3339 has it."""
    if key.expires_at is None or key.expires_at > now + SOON:
        return {}
    return {HEADER: key.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def due(key: ApiKey, *, now: datetime) -> int | None:
    """The warning that the key should have had by now, in days before its end. Pure.

    A key that was meant to live no longer than that is not warned about.
    """
    if key.expires_at is None:
        return None
    left, lifetime = key.expires_at - now, key.expires_at - key.created_at
    reached = [days for days in DAYS if left <= timedelta(days=days) < lifetime]
    latest = min(reached, default=None)
    told = key.expiry_warned_days
    return latest if latest is not None and (told is None or told > latest) else None


def warn(*, now: datetime) -> list[ApiKey]:
    """Put on record, once for each of DAYS, the keys that end soon and have no successor, and have their project told.

    Which they were.
    """
    wanting = Q()
    for days in DAYS:
        span = timedelta(days=days)
        untold = Q(expiry_warned_days=None) | Q(expiry_warned_days__gt=days)
        wanting |= Q(untold, expires_at__lte=now + span, expires_at__gt=F("created_at") + span)
    soon = ApiKey.objects.expiring(within=SOON, now=now).not_replaced().filter(wanting).select_related("project")
    return [key for key in soon[:_AT_ONCE] if _warn(key, now=now)]


def _warn(key: ApiKey, *, now: datetime) -> bool:
    days = due(key, now=now)
    if days is None or key.expires_at is None:
        return False
    seen = ApiKey.objects.filter(pk=key.pk, expires_at=key.expires_at, expiry_warned_days=key.expiry_warned_days)
    with transaction.atomic():
        if not seen.update(expiry_warned_days=days):
            return False
        told = KeyWarning.objects.bulk_create(
            KeyWarning(
                api_key=key,
                days=days,
                expires_at=key.expires_at,
                created_at=now,
                channel=channel,
                destination=destination,
                next_attempt_at=now,
            )
            for channel, destination in _destinations(key.project)
        )
        data = {"expires_at": key.expires_at.isoformat(), "days": days, "told": len(told)}
        records.of_key("key.expiry_warned", key, data, actor="system", now=now)
    return True


def _destinations(project: Project) -> list[tuple[str, str]]:
    hooks = [(KeyWarning.Channel.WEBHOOK.value, project.webhook_url)] if project.webhook_url else []
    owners = Membership.objects.owners().filter(project=project, user__is_active=True).exclude(user__email="")
    mails = split_emails(project.emails) or list(owners.values_list("user__email", flat=True).order_by("pk"))
    return [*hooks, *((KeyWarning.Channel.EMAIL.value, address) for address in mails)]


def deliver_aside(*, now: datetime) -> bool:
    """`deliver` in a thread of its own, for callers that may not wait. False where there is nothing to do."""
    return _aside.begin(KeyWarning.objects.due(now), lambda: deliver(now=now))


def deliver(*, now: datetime, limit: int = 20, send_hook: SendHook = sending.send_hook) -> int:
    """Try what is due; how many were delivered. May take half a minute: call it in a thread that may wait."""
    waiting = KeyWarning.objects.due(now).select_related("api_key__project")[:limit]
    claimed = [each for each in waiting if sending.claim(each, now=now)]
    hooks = [each for each in claimed if each.channel == KeyWarning.Channel.WEBHOOK]
    errors = dict(zip(hooks, sending.post_all([_post(each) for each in hooks], send_hook, now=now), strict=True))
    for each in claimed:
        if each not in errors:
            errors[each] = sending.send_mail(each.destination, _headline(each), facts(each))
    return sum(_note(each, error, now=now) for each, error in errors.items())


def _post(warning: KeyWarning) -> Post:
    today, *earlier = signing.webhook_secrets(warning.api_key.project)
    body = {"type": "key.expires_soon", "timestamp": warning.created_at.isoformat(), "data": facts(warning)}
    return Post(
        id=f"key_warning_{warning.pk}",
        url=warning.destination,
        secret=today,
        body=json.dumps(body).encode(),
        earlier_secrets=tuple(earlier),
    )


def facts(warning: KeyWarning) -> dict[str, Any]:
    """What a warning tells: to machines by name, to people line by line."""
    key = warning.api_key
    return {
        "project_id": key.project.slug,
        "key_id": key.public_id,
        "key": key.name,
        "expires_at": warning.expires_at.isoformat(),
        "days": warning.days,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }


def _headline(warning: KeyWarning) -> str:
    key, days = warning.api_key, f"{warning.days} day{'s' * (warning.days != 1)}"
    name = " ".join(key.name.split())
    return f"An API key of project {key.project.slug} ends in less than {days}: {name} ({key.hint})"


def _note(warning: KeyWarning, error: str, *, now: datetime) -> bool:
    def give_up() -> None:
        _log.warning("key warning %s could not be delivered: %s", warning.pk, error)
        data = {"channel": warning.channel, "attempts": warning.attempts, "error": error[:200]}
        records.of_key("key.warning_abandoned", warning.api_key, data, actor="system", now=now)

    return sending.note(warning, error, now=now, give_up=give_up)
