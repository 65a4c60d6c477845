"""What the admin shows of one job: its life, its bill to the last call, its record, and what it was allowed.

Words of customers and models are left out: what was asked, said, put into tools or found by them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse

from apps.audit.models import AuditEvent
from apps.budgets.models import Hold, LedgerEntry
from apps.jobs import details
from apps.jobs.models import Call, Job
from apps.jobs.reasons import explain
from apps.permissions.words import dollars

MOST_ROWS = 200
"""Of calls, entries and events: a job with more is looked at in their own lists."""


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of a job's life, and how long it took to get there."""

    title: str
    at: datetime
    after: str


def facts(job: Job, *, now: datetime) -> dict[str, Any]:
    """Everything the page shows besides the row itself. Seven queries, each bounded and indexed."""
    left = details.read(job.details)
    return {
        "job": job,
        "steps": list(_steps(job)),
        "ran": _span(job.started_at, job.finished_at or now),
        "why": explain(job.error_code),
        "cost": dollars(job.cost_microusd),
        "cap": dollars(job.cap_microusd),
        "cost_percent": min(100.0, round(100 * job.cost_microusd / max(1, job.cap_microusd), 2)),
        "route": sorted((job.route or {}).items()),
        "grant": _grant(job.grant),
        "tools_used": left["tools_used"],
        "num_turns": left["num_turns"],
        "denials": [(each.get("tool"), each.get("reason")) for each in left["permission_denials"]],
        "attribution": [(ref, dollars(cost)) for ref, cost in sorted(left["attribution"].items())],
        "calls": list(Call.objects.filter(job=job).order_by("started_at")[:MOST_ROWS]),
        "entries": list(
            LedgerEntry.objects.filter(job_id=job.pk).select_related("window__budget").order_by("pk")[:MOST_ROWS]
        ),
        "holds": list(Hold.objects.of_job(job.pk).select_related("window__budget")[:MOST_ROWS]),
        "events": list(AuditEvent.objects.filter(target_id=job.pk).order_by("at")[:MOST_ROWS]),
        "story": _story(job),
    }


def _steps(job: Job) -> Iterator[Step]:
    found = [("Submitted", job.created_at), ("Started", job.started_at), ("First token", job.first_token_at)]
    found += [("Cancel asked for", job.cancel_requested_at), ("Ended", job.finished_at)]
    before: datetime | None = None
    for title, at in sorted(((title, at) for title, at in found if at is not None), key=lambda step: step[1]):
        yield Step(title, at, _span(before, at))
        before = at


def _span(start: datetime | None, end: datetime) -> str:
    """`840 ms`, `12.3 s`, `4 min 10 s`; empty without a start."""
    if start is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _grant(grant: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The grant in lines; nothing for a job from before grants were kept."""
    if not grant:
        return []
    listed = [(name, ", ".join(grant.get(name) or ()) or "none") for name in ("tools", "ask_tools", "agents", "skills")]
    limits = f"{dollars(grant['max_cost_microusd'])}, {grant['max_seconds']:g} s, {grant['max_turns']:,} turns"
    return [
        ("Profile", f"{grant['profile']}, version {grant['version']}"),
        ("Model", grant["model"]),
        *((name.replace("ask_tools", "asks first").capitalize(), words) for name, words in listed),
        ("Limits", limits),
    ]


def _story(job: Job) -> str:
    """Where its words are, for those who may read them: the project's own page of it."""
    try:
        return reverse("dashboard:job", args=[job.project.slug, job.pk])
    except NoReverseMatch:
        return ""
