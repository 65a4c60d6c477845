"""How a job ends: exactly once, in one transaction, with its bill and its transcript."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import Q

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.claude import spec
from apps.jobs import deliveries, details, eventlog, steps, usage
from apps.jobs.batches.models import Batch
from apps.jobs.batches.wire import terminal_event as batch_ended
from apps.jobs.events import Event, dumps
from apps.jobs.models import Call, Job, JobEvent, Status
from apps.jobs.taskrequests import TaskRequest
from apps.jobs.wire import terminal_event
from apps.keys import ratelimit

TAKE_OVER_SECONDS = 12.0
WORKER_LOST = "The worker that ran this job was lost. What was metered until then is billed; send the request again."

_ON_RECORD = ("cli_unfit", "jail_unavailable")
"""Failures whose message is part of the record: it tells what was wrong with a wall, and no word of a customer."""
_STORE = "INSERT INTO jobs_jobevent (job_id, sequence_number, type, data) VALUES (%s, %s, %s, %s)"


def close(*, job: Job, outcome: spec.Outcome, events: Sequence[Event], where: Q, now: datetime) -> Event | None:
    """End the job if its row still is as `where` says. The terminal event, or None when somebody else was first.

    `events` is the transcript so far, 1 … N. The caller tells the followers: what is returned is committed only when
    the caller's own transaction is, if it has one.
    """
    facts = _facts(outcome, last=len(events) + 1, now=now)
    with transaction.atomic():
        if not Job.objects.filter(where, pk=job.pk).update(**facts):
            return None
        _settle(job, outcome, now)
        usage.note(job, outcome, first_token_at=_first_token_at(outcome.calls), now=now)
        Call.objects.bulk_create(_call_row(job, call) for call in outcome.calls)
        _store(job, events)
        used = partial(ratelimit.settle_tokens, key_id=job.api_key_id, job_id=job.pk)
        transaction.on_commit(partial(used, tokens=outcome.usage.total_tokens))
        if job.kind == TaskRequest.kind:
            steps.record(job=job, events=events, now=now)
            deliveries.announce(job=job, now=now)
    for name, value in facts.items():
        setattr(job, name, value)
    return terminal_event(job)


def close_queued(*, job: Job, outcome: spec.Outcome, now: datetime) -> bool:
    """End a job that no worker has taken, and tell its followers. False when it is not queued any more."""
    terminal = close(job=job, outcome=outcome, events=(), where=Q(status=Status.QUEUED), now=now)
    if terminal:
        transaction.on_commit(lambda: eventlog.announce(job.id, [terminal], project_id=job.project_id))
    return terminal is not None


def close_lost(*, job: Job, closer: str, where: Q, now: datetime) -> bool:
    """End a running job whose worker is gone, billed from its checkpoints. `where` says what proves the loss.

    Taking over the lease comes first and is committed: from then on the old worker, should it still live, can neither
    close the job nor prolong its lease, and its event log is sealed before it is read. If this process dies between
    the two, the new lease runs out and the next sweep does it again. Raises what Valkey raises when it is away, for
    then the bill is out of reach.
    """
    held = {"worker": closer, "lease_until": now + timedelta(seconds=TAKE_OVER_SECONDS)}
    if not Job.objects.running().filter(where, pk=job.pk).update(**held):
        return False
    events, calls = eventlog.seize(job.id)
    outcome = broken_off("worker_lost", WORKER_LOST, events, calls)
    ours = Q(status=Status.IN_PROGRESS, worker=closer)
    terminal = close(job=job, outcome=outcome, events=events, where=ours, now=now)
    if terminal:
        eventlog.announce(job.id, [*events, terminal], project_id=job.project_id)
    return terminal is not None


def broken_off(code: str, message: str, events: Iterable[Event], calls: Iterable[spec.Call]) -> spec.Outcome:
    """The outcome of a job that nobody can ask any more: what is known of it from outside."""
    text = "".join(str(event.data.get("text", "")) for event in events if event.type == "token")
    return spec.Outcome("failed", error_code=code, error_message=message, text=text, calls=tuple(calls))


def transcripts(job_ids: Sequence[str]) -> dict[str, list[Event]]:
    """The stored events of those of the jobs that have ended, the terminal one included; what is unknown has none."""
    stored: dict[str, list[Event]] = {}
    for row in JobEvent.objects.of_jobs(job_ids):
        stored.setdefault(row.job_id, []).append(Event(row.sequence_number, row.type, row.data))
    jobs = Job.objects.closed().filter(pk__in=job_ids).select_related("project")
    ended = {job.id: [*stored.get(job.id, ()), terminal_event(job)] for job in jobs}
    if len(ended) < len(job_ids):  # batches are followed too; they have nothing but an end
        batches = Batch.objects.finished().filter(pk__in=job_ids)
        ended |= {batch.pk: [batch_ended(batch)] for batch in batches}
    return ended


def _settle(job: Job, outcome: spec.Outcome, now: datetime) -> None:
    """The money and the record of a job's end."""
    cost = outcome.cost_microusd
    budgets.settle(
        project_id=job.project_id,
        key_id=job.api_key_id,
        job_id=job.id,
        usage=outcome.usage,
        cost_microusd=cost,
        now=now,
    )
    audit.record(
        actor="system",
        action="job.closed",
        target_type="job",
        target_id=job.id,
        project_id=job.project.slug,
        outcome="ok" if outcome.status == "completed" else outcome.error_code or outcome.status,
        reason=(outcome.error_message or "")[:1000] if outcome.error_code in _ON_RECORD else "",
        data={"status": outcome.status, "model": job.model, "cost_microusd": cost, "estimated": outcome.estimated},
        request_id=job.request_id,
        now=now,
    )


def _facts(outcome: spec.Outcome, *, last: int, now: datetime) -> dict[str, object]:
    """The columns that an outcome decides."""
    tokens = outcome.usage
    return {
        "status": outcome.status,
        "result": outcome.text if outcome.status == "completed" else outcome.text or None,
        "details": details.of(outcome),
        "stop_reason": _storable(outcome.stop_reason, 32),
        "stop_sequence": outcome.stop_sequence,
        "error_code": _storable(outcome.error_code, 32),
        "error_message": _storable(outcome.error_message, 2000),
        "upstream_status": outcome.upstream_status,
        "retry_after_seconds": outcome.retry_after_seconds,
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cache_read_input_tokens": tokens.cache_read_input_tokens,
        "cache_creation_input_tokens": tokens.cache_creation_input_tokens,
        "cost_microusd": outcome.cost_microusd,
        "estimated": outcome.estimated,
        "cli_cost_microusd": outcome.cli_cost_microusd,
        "first_token_at": _first_token_at(outcome.calls),
        "finished_at": now,
        "last_sequence_number": last,
    }


def _first_token_at(calls: Sequence[spec.Call]) -> datetime | None:
    moments = [call.started_at + call.first_token_seconds for call in calls if call.first_token_seconds is not None]
    return datetime.fromtimestamp(min(moments), UTC) if moments else None


def _call_row(job: Job, call: spec.Call) -> Call:
    facts = call.to_json()
    facts["call_id"] = facts.pop("id")
    facts["started_at"] = datetime.fromtimestamp(call.started_at, UTC)
    return Call(job=job, **facts)


def _store(job: Job, events: Sequence[Event]) -> None:
    """One statement by hand: a long answer has hundreds of events, and bulk_create costs 30 µs for each."""
    rows = [(job.pk, event.sequence_number, event.type, dumps(event.data)) for event in events]
    with connection.cursor() as cursor:
        cursor.executemany(_STORE, rows)


def _storable(text: str | None, limit: int) -> str:
    """What every database takes as text: no NUL, no lone surrogates, not endless."""
    return (text or "").replace("\0", "").encode("utf-8", "replace").decode()[:limit]
