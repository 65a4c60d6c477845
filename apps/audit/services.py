"""Writing the record, and sealing what was written."""

import ipaddress
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.audit import actions, chain, redaction, rows
from apps.audit.actions import BadAction
from apps.audit.models import AuditEvent
from apps.audit.sealing import seal

__all__ = ["BadAction", "record", "seal"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(
    *,
    actor: str,
    action: str,
    target_type: str = "",
    target_id: object = "",
    project_id: object = None,
    outcome: str = "ok",
    reason: str = "",
    ip: str | None = None,
    data: Mapping[str, Any] | None = None,
    request_id: str = "",
    now: datetime,
) -> AuditEvent:
    """Write one deed in the caller's transaction: both are committed, or neither.

    `actor` is `user:NAME`, `key:ID`, `command:NAME` or `system`; `target_id` is what people search for; `outcome` is
    `ok` or a word for what happened instead; `data` holds names, numbers and `{"before": …, "after": …}`. Secrets and
    prompts in any of them are replaced, what is too long is cut. One INSERT, no lock. Raises BadAction (a ValueError).
    """
    ring = chain.keyring()
    event = AuditEvent(
        id=_event_id(now),
        at=now,
        actor=redaction.text(actor, longest=200),
        action=actions.check(action),
        target_type=redaction.text(target_type, longest=40),
        target_id=redaction.text(target_id, longest=200),
        project_id="" if project_id is None else redaction.text(project_id, longest=64),
        outcome=redaction.text(outcome, longest=32),
        reason=redaction.text(reason),
        ip=_address(ip),
        request_id=redaction.text(request_id, longest=100),
        data_text=redaction.canonical(data),
        key_id=ring.current,
    )
    rows.insert(event, ring)
    return event


def _event_id(now: datetime) -> UUID:
    """Version 7 of RFC 9562 with microseconds, so that new rows are neighbours in the index."""
    milliseconds, microseconds = divmod((now - _EPOCH) // timedelta(microseconds=1), 1000)
    tail = 0x7 << 76 | (microseconds * 4096 // 1000) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=milliseconds << 80 | tail)


def _address(ip: str | None) -> str:
    """An IP address as everybody writes it; anything else as text, since a header may have said it."""
    if not ip:
        return ""
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        return redaction.text(ip, longest=45)
