"""Puts on record what an operator changed in the settings, and each upgrade: at a start, if anything did change."""

import dataclasses
import socket
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

from apps.audit import services as audit
from apps.audit.changes import diff
from apps.audit.models import AuditEvent
from config.env import Env

ACTION = "settings.changed"


def note(env: Env, *, now: datetime) -> bool:
    """Record what differs from the last start of this node, or of any node if it is new; whether anything did."""
    node, facts = socket.gethostname(), snapshot(env)
    before = _last(node)
    if changes := diff(before, facts):
        data = {**changes, "settings": facts}
        audit.record(actor="system", action=ACTION, target_type="node", target_id=node, data=data, now=now)
    return bool(changes)


def snapshot(env: Env) -> dict[str, Any]:
    """Every setting by its variable; of a secret only whether two of them are the same. The version too."""
    facts: dict[str, Any] = {"version": settings.VERSION}
    for setting in dataclasses.fields(env):
        name, value = setting.metadata["name"], getattr(env, setting.name)
        if setting.metadata["secret"]:
            facts[f"{name}_hint"] = _hint(value)
        else:
            facts[name] = value if isinstance(value, bool | int | float) else _text(value)
    return facts


def _hint(secret: str) -> str:
    return f"set, {salted_hmac('settings', secret).hexdigest()[:8]}" if secret else "not set"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _last(node: str) -> dict[str, Any]:
    known = AuditEvent.objects.filter(action=ACTION).order_by("-at")
    event = known.filter(target_id=node).first() or known.first()
    before: dict[str, Any] = (event.data.get("settings") or {}) if event else {}
    return before
