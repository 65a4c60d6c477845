"""Writing the record."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit.models import AuditEvent

_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


def record(
    *,
    actor: str,
    action: str,
    target_type: str = "",
    target_id: str = "",
    project_id: str | None = None,
    outcome: str = "success",
    reason: str = "",
    ip: str | None = None,
    data: Mapping[str, Any] | None = None,
    request_id: str = "",
    now: datetime,
) -> AuditEvent:
    """Write one deed, named `noun.past_participle`, in the caller's transaction. Never a secret or a prompt."""
    if not _ACTION.fullmatch(action):
        raise ValueError(f"not noun.past_participle: {action!r}")
    return AuditEvent.objects.create(
        at=now,
        actor=actor[:128],
        action=action,
        target_type=target_type,
        target_id=target_id,
        project_id=project_id,
        outcome=outcome,
        reason=reason[:500],
        ip=ip,
        data=dict(data or {}),
        request_id=request_id[:64],
    )
