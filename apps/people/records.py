"""What the record says about people. Called inside the deed's transaction, where it has one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from apps.audit import services as audit

ANONYMOUS = "anonymous"
"""The actor of what somebody does who has not shown yet who they are."""


def address(request: HttpRequest | None) -> str | None:
    """Where a request comes from."""
    return (request.META.get("REMOTE_ADDR") or None) if request is not None else None


def of_user(
    action: str,
    username: str,
    data: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
    ip: str | None = None,
    outcome: str = "ok",
    reason: str = "",
) -> None:
    """A deed done to somebody's account; it is found by the name they log in with."""
    audit.record(
        actor=actor,
        action=action,
        target_type="user",
        target_id=username,
        ip=ip,
        data=data,
        outcome=outcome,
        reason=reason,
        now=now,
    )
