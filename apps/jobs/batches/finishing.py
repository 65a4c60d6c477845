"""The end of a batch: counted, its files written, its hold given back, told to who waits. Once, whoever does it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, Sum

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.jobs import eventlog
from apps.jobs.batches.models import Batch, BatchStatus
from apps.jobs.batches.wire import terminal_event
from apps.jobs.models import CLOSED, Job, Status

AGAIN_AFTER = timedelta(seconds=20)
"""A batch that has been finalizing for so long was left by whoever did it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How the items of a batch stand."""

    completed: int
    failed: int
    cost_microusd: int


Writer = Callable[[Batch], tuple[str, str]]
"""Writes output and error file of a batch that came as a file; their ids, empty for none. May be called again."""

_writers: list[Writer] = []


def files_are_written_by(writer: Writer) -> None:
    """Say who knows how answers look in a file. The floor above does, when it is ready; the last word counts."""
    _writers[:] = [writer]


def counts(batch: Batch) -> Counts:
    """How many items have been answered and how many will not be, and what all of it cost so far."""
    if batch.finished_at:
        return Counts(batch.completed, batch.failed, batch.cost_microusd)
    waiting = batch.items.waiting().count()  # before its jobs: an item that gets one meanwhile has not failed
    found = Job.objects.of_batch(batch.pk).aggregate(
        done=Count("pk", filter=Q(status=Status.COMPLETED)),
        lost=Count("pk", filter=Q(status__in=CLOSED) & ~Q(status=Status.COMPLETED)),
        jobs=Count("pk"),
        cost=Sum("cost_microusd", default=0),
    )
    without = max(0, batch.total - waiting - found["jobs"])  # not read from the items: they are long
    return Counts(found["done"], found["lost"] + without, found["cost"])


def finish(*, batch: Batch, now: datetime) -> bool:
    """End a batch of which nothing waits and nothing runs. False if somebody else is at it."""
    mine = Batch.objects.unfinished().filter(pk=batch.pk, finalizing_at=None)
    status = BatchStatus.CANCELLING if batch.ending == BatchStatus.CANCELLED else BatchStatus.FINALIZING
    return bool(mine.update(finalizing_at=now, status=status)) and _finish(batch.pk, now)


def finish_again(*, batch_id: str, now: datetime) -> bool:
    """The same for one whose end was begun long ago by somebody who is gone."""
    left = Batch.objects.unfinished().filter(pk=batch_id, finalizing_at__lte=now - AGAIN_AFTER)
    return bool(left.update(finalizing_at=now)) and _finish(batch_id, now)


def _finish(batch_id: str, now: datetime) -> bool:
    ended = close(batch_id=batch_id, now=now)
    if ended:
        transaction.on_commit(lambda: eventlog.announce(batch_id, [terminal_event(ended)], project_id=ended.project_id))
    return ended is not None


def close(*, batch_id: str, now: datetime) -> Batch | None:
    """Count, write, give back and record. The caller tells the followers; None when somebody else was first."""
    batch = Batch.objects.select_related("project", "api_key").get(pk=batch_id)
    output, errors = _writers[0](batch) if batch.input_file_id and _writers else ("", "")
    found = counts(batch)
    facts = {
        "status": batch.ending,
        "finished_at": now,
        "output_file_id": output,
        "error_file_id": errors,
        "completed": found.completed,
        "failed": found.failed,
        "cost_microusd": found.cost_microusd,
        "waits_for": None,
        "tries_again_at": None,
    }
    with transaction.atomic():
        if not Batch.objects.unfinished().filter(pk=batch_id).update(**facts):
            return None
        budgets.release(job_id=batch_id, now=now)
        for name, value in facts.items():
            setattr(batch, name, value)
        _record(batch, now)
    return batch


def _record(batch: Batch, now: datetime) -> None:
    data = {"completed": batch.completed, "failed": batch.failed, "cost_microusd": batch.cost_microusd}
    audit.record(
        actor="system",
        action="batch.closed",
        target_type="batch",
        target_id=batch.pk,
        project_id=batch.project.slug,
        outcome="ok" if batch.status == BatchStatus.COMPLETED else batch.status,
        data={"items": batch.total, **data},
        request_id=batch.request_id,
        now=now,
    )
