"""How the workers and the queue are, for `/ready`, the dashboard and operators."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from apps.jobs import valkey
from apps.jobs.events import dumps
from apps.jobs.models import Job

ALIVE_SECONDS = 10.0
"""A worker that was silent for longer does not count as alive."""
FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What one worker said of itself."""

    name: str
    at: datetime
    running: int
    """Jobs it has claimed and not closed yet."""
    engine: Mapping[str, object]
    """`Engine.status()`: slots, processes, memory, jail and so on."""
    fault: str
    """Why it could not start; empty when it did."""


def report(
    *, name: str, now: datetime, running: int = 0, engine: Mapping[str, object] | None = None, fault: str = ""
) -> str:
    """A heartbeat, as it is kept in the hash of all workers."""
    heartbeat = {"name": name, "at": now.isoformat(), "running": running, "engine": engine or {}, "fault": fault}
    return dumps(heartbeat)


def report_fault(*, name: str, fault: str, now: datetime) -> None:
    """Tell `/ready` why a worker cannot start."""
    with contextlib.suppress(*valkey.ERRORS):
        valkey.client().hset(valkey.workers(), name, report(name=name, now=now, fault=fault))


def workers(*, now: datetime) -> list[WorkerState]:
    """The workers of all nodes that were heard of lately. Raises what Valkey raises when it is away."""
    states = [_state(text) for text in _heartbeats().values()]
    return [state for state in states if (now - state.at).total_seconds() <= ALIVE_SECONDS]


def oldest_pending_seconds(*, now: datetime) -> float:
    """How long the oldest queued job has waited; 0 when none waits."""
    created_at = Job.objects.queued().order_by("id").values_list("created_at", flat=True).first()
    return max(0.0, (now - created_at).total_seconds()) if created_at else 0.0


def forget_silent_workers(*, now: datetime) -> None:
    """Remove the heartbeats of workers that are long gone."""
    states = [_state(text) for text in _heartbeats().values()]
    if gone := [state.name for state in states if (now - state.at).total_seconds() > FORGET_SECONDS]:
        valkey.client().hdel(valkey.workers(), *gone)


def _heartbeats() -> dict[str, str]:
    return cast("dict[str, str]", valkey.client().hgetall(valkey.workers()))


def _state(text: str) -> WorkerState:
    data = json.loads(text)
    return WorkerState(
        name=data["name"],
        at=datetime.fromisoformat(data["at"]),
        running=data["running"],
        engine=data["engine"],
        fault=data["fault"],
    )
