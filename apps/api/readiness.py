"""Whether this service can do its work, and if not, why."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from apps.jobs import health
from apps.jobs.engines import credential
from config import lifecycle

STUCK_SECONDS = 30.0
"""A job that waits longer although a slot is free shows that the workers do not hear."""


@dataclass(slots=True)
class Report:
    """`reasons` are why work cannot be done; `warnings` are what an operator should know."""

    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether work can be done."""
        return not self.reasons


def look(*, now: datetime) -> Report:
    """Check everything that a chat needs."""
    report = Report()
    if lifecycle.is_draining():
        report.reasons.append("the service is stopping")
    _database(report, now)
    _valkey(report, now)
    if credential() is None:
        report.warnings.append("no credential is configured: chats are answered with 503")
    return report


def _database(report: Report, now: datetime) -> None:
    try:
        waited = health.oldest_pending_seconds(now=now)
        report.checks["database"] = {"ok": True, "vendor": connection.vendor}
        report.checks["queue"] = {"ok": True, "oldest_pending_seconds": round(waited, 3)}
    except DatabaseError:
        report.checks["database"] = {"ok": False}
        report.reasons.append("the database cannot be reached")


def _valkey(report: Report, now: datetime) -> None:
    try:
        workers = health.workers(now=now)
        report.checks["valkey"] = {"ok": True}
    except (RedisError, OSError):
        report.checks["valkey"] = {"ok": False}
        report.reasons.append("Valkey cannot be reached")
        return
    _workers(report, workers)


def _workers(report: Report, workers: list[health.WorkerState]) -> None:
    able = [worker for worker in workers if not worker.fault]
    engines = [worker.engine for worker in able]
    slots, running = (sum(int(str(engine.get(name) or 0)) for engine in engines) for name in ("slots", "running"))
    report.checks["workers"] = {"ok": bool(able), "alive": len(able), "slots": slots, "running": running}
    faults = sorted({worker.fault for worker in workers if worker.fault})
    if not able:
        report.reasons.append(f"no worker is alive{': ' + '; '.join(faults) if faults else ''}")
        return
    report.warnings += [f"a worker could not start: {fault}" for fault in faults]
    report.checks["jail"] = {"ok": all(engine.get("jail") for engine in engines)}
    for fault in sorted({str(engine["jail_fault"]) for engine in engines if engine.get("jail_fault")}):
        report.warnings.append(f"no jail: {fault}")
    for fault in sorted({str(engine["network_fault"]) for engine in engines if engine.get("network_fault")}):
        report.warnings.append(f"tasks that use the network are refused: {fault}")
    report.checks["cli"] = {
        "versions": sorted({str(engine["cli_version"]) for engine in engines if engine.get("cli_version")})
    }
    queue = report.checks.get("queue")
    if queue and queue["oldest_pending_seconds"] > STUCK_SECONDS and running < slots:
        queue["ok"] = False
        report.reasons.append(f"a job has waited for {queue['oldest_pending_seconds']:.0f} s although slots are free")
