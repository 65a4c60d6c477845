"""Links committed rows into the chain, after the deeds' transactions, so that no deed ever waits for another.

Any number of sealers may work at once: they take turns on the head row, and where a database has no row locks, the
conditional UPDATEs and one position per row make the slower one begin again. A row that is committed late simply is
unsealed when a sealer looks next: nothing is skipped, as nothing is concluded from ids or times.
"""

import logging
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit import anchors, chain, rows
from apps.audit.models import AuditCheckpoint, AuditEvent, AuditHead

BATCH = 500
"""Rows of one transaction: on SQLite, writers wait while it commits."""
_ATTEMPTS = 20
_HEAD_PK = 1

logger = logging.getLogger(__name__)


class Raced(Exception):
    """Other sealers were faster, time and again."""


def seal(*, now: datetime) -> chain.Head:
    """Link every committed row, keep the head in a second place now and then, and return it; position 0: no rows yet.

    Costs one index probe when there is nothing to do. Raises Raced if other sealers do not let it finish.
    """
    attempts = _ATTEMPTS
    while AuditEvent.objects.unsealed().exists():
        try:
            _seal_batch(now)
            attempts = _ATTEMPTS
        except (IntegrityError, Raced) as error:
            attempts -= 1
            if not attempts:
                raise Raced("other sealers were faster, time and again") from error
    head = stored_head()
    anchors.keep(head, chain.keyring(), now=now)
    return head


def stored_head() -> chain.Head:
    """The head as the database has it, whoever wrote it."""
    row = AuditHead.objects.order_by("pk").first()
    return head_of(row) if row else chain.Head(0, chain.GENESIS, chain.NEVER)


def head_of(row: AuditHead) -> chain.Head:
    """What the head row says."""
    return chain.Head(row.position, bytes(row.seal), row.at)


@transaction.atomic
def _seal_batch(now: datetime) -> None:
    ring = chain.keyring()
    row = AuditHead.objects.select_for_update().order_by("pk").first()
    position, seal_ = _tail(row, ring)
    links: list[tuple[int, bytes, object]] = []
    # Read after the lock, so that what the sealer before us has linked is not here any more.
    for event_id, digest, key_id in rows.waiting(BATCH):
        position += 1
        seal_ = chain.seal(ring.key(key_id), seal_, position, digest)
        links.append((position, seal_, event_id))
    if links and rows.link(links) != len(links):
        raise Raced
    if links:
        _write_head(row, chain.Head(position, seal_, now), ring)


def _tail(row: AuditHead | None, ring: chain.Keyring) -> tuple[int, bytes]:
    """Where to go on. Nothing is repaired: a head that is not as it was left leaves a hole in the positions."""
    last = AuditEvent.objects.sealed().order_by("-position").values_list("position", flat=True).first() or 0
    cut = AuditCheckpoint.objects.order_by("-position").values_list("position", flat=True).first() or 0
    last = max(last, cut)
    if row is None and last == 0:
        return 0, chain.GENESIS
    if row is not None and row.position >= last and head_of(row).genuine(row.key_id, row.mac, ring):
        return row.position, bytes(row.seal)
    logger.error("the head of the audit chain was deleted or edited; the last sealed row is at position %d", last)
    return last + 1, chain.GENESIS


def _write_head(row: AuditHead | None, head: chain.Head, ring: chain.Keyring) -> None:
    values = {
        "position": head.position,
        "seal": head.seal,
        "at": head.at,
        "key_id": ring.current,
        "mac": head.mac(ring),
    }
    if row is None:
        AuditHead.objects.create(pk=_HEAD_PK, **values)
    elif AuditHead.objects.filter(pk=row.pk, position=row.position).update(**values) != 1:
        raise Raced
