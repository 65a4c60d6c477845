"""Tickets: what a browser opens a WebSocket with, since it can send no header. Good once, for half a minute."""

import hashlib
import secrets as random
from datetime import datetime

import redis
from django.conf import settings

from apps.audit import services as audit
from apps.keys import networks, ratelimit
from apps.keys.models import ApiKey
from apps.keys.services import InvalidKey

SECONDS = 30


class NoTickets(Exception):
    """Valkey, which keeps them, cannot be asked."""

    def __init__(self) -> None:
        super().__init__("Tickets cannot be kept at the moment; try again in a second.")


def issue(*, key: ApiKey, actor: str, ip: str | None, now: datetime) -> str:
    """A ticket that stands for the key. On record where a person takes it. Raises NoTickets."""
    ticket = random.token_urlsafe(24)
    try:
        ratelimit.client(settings.VALKEY_URL).set(_name(ticket), key.public_id, ex=SECONDS)
    except (redis.RedisError, OSError):
        raise NoTickets from None
    if actor.startswith("user:"):
        audit.record(
            actor=actor,
            action="ticket.issued",
            target_type="key",
            target_id=key.public_id,
            project_id=key.project.slug,
            ip=ip,
            now=now,
        )
    return ticket


def redeem(*, ticket: str, ip: str | None, now: datetime) -> ApiKey:
    """The key it stands for, with its project and profile; the ticket is used up. Raises InvalidKey."""
    try:
        public_id = ratelimit.client(settings.VALKEY_URL).getdel(_name(ticket))
    except (redis.RedisError, OSError):
        raise InvalidKey from None
    key = ApiKey.objects.select_related("project", "profile").filter(public_id=public_id or "").first()
    if key is None or not key.is_usable(now=now) or not networks.contains(key.allowed_networks, ip):
        raise InvalidKey
    return key


def _name(ticket: str) -> str:
    """Not the ticket itself: whoever reads Valkey must not be able to use it."""
    return f"{settings.VALKEY_PREFIX}ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
