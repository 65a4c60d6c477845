"""What a task's tools did, on the record: which tool, for whom, how it ended. Never what was said to it."""

from collections.abc import Sequence
from datetime import datetime

from apps.audit import services as audit
from apps.jobs.events import Event
from apps.jobs.models import Job

MOST = 1_000
"""Rows of one job; the transcript has them all."""
_NAMED_BY = {"Agent": "subagent_type", "Task": "subagent_type", "Skill": "skill"}


def record(*, job: Job, events: Sequence[Event], now: datetime) -> None:
    """One row for each tool call and each refused connection of a task, in the transaction that ends it."""
    ends = {event.data["id"]: event for event in events if event.type in ("tool_result", "denied")}
    denials = {event.data["id"]: event for event in events if event.type == "denied"}
    calls = [event for event in events if event.type == "tool_use"]
    for call in calls[:MOST]:
        denied, end = denials.get(call.data["id"]), ends.get(call.data["id"])
        audit.record(
            actor=f"job:{job.pk}",
            action="tool.denied" if denied else "tool.used",
            target_type="job",
            target_id=job.pk,
            project_id=job.project.slug,
            outcome="refused" if denied else _outcome(end),
            reason=str(denied.data["reason"]) if denied else "",
            data=_facts(call),
            request_id=job.request_id,
            now=now,
        )
    refused = [event for event in events if event.type == "network" and not event.data["allowed"]]
    for connection in refused[:MOST]:
        audit.record(
            actor=f"job:{job.pk}",
            action="network.denied",
            target_type="job",
            target_id=job.pk,
            project_id=job.project.slug,
            outcome="refused",
            reason=str(connection.data["reason"]),
            data={name: connection.data[name] for name in ("id", "host", "port", "address")},
            request_id=job.request_id,
            now=now,
        )


def _outcome(end: Event | None) -> str:
    if end is None:
        return "unfinished"
    return "error" if end.data.get("is_error") else "ok"


def _facts(call: Event) -> dict[str, object]:
    facts = {"tool": call.data["name"], "call_id": call.data["id"], "parent_id": call.data.get("parent_id")}
    said = call.data.get("input")
    name = said.get(_NAMED_BY.get(str(call.data["name"]), "")) if isinstance(said, dict) else None
    return facts | ({"started": str(name)[:200]} if name else {})
