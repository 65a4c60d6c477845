"""What all sending shares: attempts claimed by one UPDATE, longer and longer pauses, a thread for who may not wait."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core import mail
from django.db import DatabaseError, connection, models, transaction
from yarl import URL

from apps.claude import outside
from apps.keys import webhooks
from apps.keys.outgoing import Outgoing
from apps.keys.webhooks import NotDelivered, Post

MOST_ATTEMPTS = 10
"""Over about five hours."""
MAIL_SECONDS = 10
_log = logging.getLogger(__name__)

SendHook = Callable[[Post, int], Awaitable[None]]


class Aside:
    """Sends in a thread of its own, one at a time in each process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._at_it = threading.Lock()

    def begin(self, due: "models.QuerySet[models.Model]", deliver: Callable[[], object]) -> bool:
        """Deliver what is due, if anything. False if nothing is, or one is at it.

        Not for a transaction: what is read has to be committed.
        """
        if not due.exists() or not self._at_it.acquire(blocking=False):
            return False

        def work() -> None:
            try:
                deliver()
            except DatabaseError:
                _log.exception("%s wait for the database", self._name)
            finally:
                connection.close()
                self._at_it.release()

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return True


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: half a minute, doubled each time, at most an hour."""
    return timedelta(seconds=min(30 << min(max(0, attempts - 1), 7), 3600))


def claim(row: Outgoing, *, now: datetime) -> bool:
    """This attempt is ours. Should we die in it, the next one comes after the usual pause."""
    seen = _rows(row).filter(next_attempt_at=row.next_attempt_at)
    attempts, next_attempt_at = row.attempts + 1, now + pause(row.attempts + 1)
    ours = seen.update(attempts=attempts, next_attempt_at=next_attempt_at) > 0
    row.attempts, row.next_attempt_at = attempts, next_attempt_at
    return ours


def note(row: Outgoing, error: str, *, now: datetime, give_up: Callable[[], object]) -> bool:
    """Write down how the claimed attempt went, unless a later one has begun; whether it was delivered.

    After the last attempt it is given up, and `give_up` puts that on record in the same transaction.
    """
    ours = _rows(row).filter(delivered_at=None)
    if not error:
        return ours.update(delivered_at=now, next_attempt_at=None, error="") > 0
    with transaction.atomic():
        if ours.update(error=error[:300]) and row.attempts >= MOST_ATTEMPTS:
            ours.update(next_attempt_at=None)
            give_up()
    return False


def _rows(row: Outgoing) -> "models.QuerySet[Outgoing]":
    """The row, as long as nobody has begun another attempt."""
    return type(row)._default_manager.filter(pk=row.pk, attempts=row.attempts)


async def send_hook(post: Post, timestamp: int) -> None:
    """Post it to the outside, or to a host inside that the operator has named (WEBHOOK_HOSTS)."""
    inside = URL(post.url).host in settings.WEBHOOK_HOSTS
    await webhooks.send(post, timestamp=timestamp, allowed=_anywhere if inside else outside.is_public)


def _anywhere(_address: str) -> bool:
    return True


def post_all(posts: Sequence[Post], send: SendHook, *, now: datetime) -> list[str]:
    """What went wrong with each, empty where nothing did. May take ten seconds."""

    async def attempt(post: Post) -> str:
        try:
            await send(post, int(now.timestamp()))
        except NotDelivered as error:
            return str(error)
        return ""

    async def attempts() -> list[str]:
        return await asyncio.gather(*map(attempt, posts))

    return asyncio.run(attempts())


def send_mail(to: str, subject: str, facts: Mapping[str, object]) -> str:
    """What went wrong, empty if nothing did. The message has a line for each fact."""
    try:
        mail.send_mail(
            subject=subject,
            message="\n".join(f"{name}: {value}" for name, value in facts.items() if value is not None),
            from_email=None,
            recipient_list=[to],
            connection=mail.get_connection(timeout=MAIL_SECONDS),
        )
    except (OSError, ValueError) as error:  # smtplib's are OSErrors; a header that cannot be is a ValueError
        return f"{type(error).__name__}: {error}"[:300]
    return ""
