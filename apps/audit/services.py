"""Writing the record, and sealing what was written."""

import ipaddress
import re
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

_IPV4 = re.compile(r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}", re.ASCII)
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

    `actor` is `user:NAME`, `key:ID`, `command:NAME`, `system` or `anonymous`; `target_id` is what people search for;
    `outcome` is `ok` or a word for what happened instead; `data` holds names, numbers and `{"before": …, "after": …}`.
    Secrets and prompts in any of them are replaced, what is too long is cut. One INSERT, no lock. Raises BadAction (a
    ValueError).
    """
    texts = (
        redaction.text(actor, longest=200),
        actions.check(action),
        redaction.text(target_type, longest=40),
        redaction.text(target_id, longest=200),
        "" if project_id is None else redaction.text(project_id, longest=64),
        redaction.text(outcome, longest=32),
        redaction.text(reason),
        _address(ip),
        redaction.text(request_id, longest=100),
        redaction.canonical(data),
    )
    return rows.insert(_event_id(now), now, texts, chain.keyring())


def _event_id(now: datetime) -> UUID:
    """Version 7 of RFC 9562 with microseconds, so that new rows are neighbours in the index."""
    milliseconds, microseconds = divmod((now - _EPOCH) // timedelta(microseconds=1), 1000)
    tail = 0x7 << 76 | (microseconds * 4096 // 1000) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=milliseconds << 80 | tail)


def _address(ip: str | None) -> str:
    """An IP address as everybody writes it; anything else as text, since a header may have said it."""
    if not ip or _IPV4.fullmatch(ip):
        return ip or ""
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        return redaction.text(ip, longest=45)
