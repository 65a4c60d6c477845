"""What can be done with capabilities, and what tasks and keys ask of them."""

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

from django.db import transaction

from apps.audit import services as audit
from apps.capabilities.models import Capability
from apps.capabilities.scanning import Scan, scan, scan_if_changed
from apps.claude import catalog
from apps.claude.taskspec import Agent, Skill

__all__ = ["Scan", "agents", "models", "scan", "scan_if_changed", "set_enabled", "set_trusted", "skills"]

_STARTERS = frozenset({"Agent", "Task"})
_SAME = {"Task": "Agent"}


def set_enabled(*, capability: Capability, enabled: bool, actor: str, now: datetime, ip: str | None = None) -> bool:
    """Let tasks use it, or no task any more; running ones keep it. False when it was so already."""
    action = "capability.enabled" if enabled else "capability.disabled"
    return _set(capability, "enabled", enabled, action, actor=actor, now=now, ip=ip)


def set_trusted(*, capability: Capability, trusted: bool, actor: str, now: datetime, ip: str | None = None) -> bool:
    """Let the commands in a skill's text run, until its files change. False when it was so already."""
    action = "capability.trusted" if trusted else "capability.distrusted"
    return _set(capability, "trusted", trusted, action, actor=actor, now=now, ip=ip)


def _set(
    capability: Capability, field: str, value: bool, action: str, *, actor: str, now: datetime, ip: str | None
) -> bool:
    with transaction.atomic():
        same = Capability.objects.filter(pk=capability.pk, digest=capability.digest, **{field: not value})
        if not same.update(**{field: value}):
            return False
        audit.record(
            actor=actor,
            action=action,
            target_type="capability",
            target_id=str(capability),
            ip=ip,
            data={"digest": capability.digest, "path": capability.path},
            now=now,
        )
    return True


def agents(*, names: Collection[str], tools: Iterable[str], models: Collection[str] = ()) -> list[Agent]:
    """The usable ones of these agents, their tools cut to `tools`; none of them may start further agents.

    An agent that wants a model of its own gets it if that is one of `models`, full ids; else it has the task's.
    """
    granted = [tool for tool in tools if tool not in _STARTERS]
    rows = Capability.objects.usable().agents().filter(name__in=names).order_by("name")
    return [_agent(row, granted, models) for row in rows]


def models(*, names: Collection[str]) -> list[str]:
    """The models that these agents want for themselves, by alias or full id, as their files have them."""
    rows = Capability.objects.usable().agents().filter(name__in=names).exclude(model="").order_by("name")
    return list(rows.values_list("model", flat=True))


def _agent(row: Capability, granted: list[str], models: Collection[str]) -> Agent:
    wanted = None if row.tools is None else {_SAME.get(tool, tool) for tool in row.tools}
    return Agent(
        name=row.name,
        description=row.description,
        prompt=row.body,
        tools=tuple(tool for tool in granted if wanted is None or tool in wanted),
        model=model if (model := catalog.resolve(row.model)) in models else None,
    )


def skills(*, names: Collection[str]) -> list[Skill]:
    """The usable ones of these skills."""
    rows = Capability.objects.usable().skills().filter(name__in=names).order_by("name")
    return [
        Skill(name=row.name, description=row.description, directory=Path(row.path).parent, trusted=row.trusted)
        for row in rows
    ]
