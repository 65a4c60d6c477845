"""What pages ask of batches. A batch has at most 10,000 items, so its own may be counted; lists never are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Sum

from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.models import OPEN, Job
from apps.keys.models import Project

PAGE = 50
ITEMS = 100


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of batches, newest first, and the id that the next older one begins below."""

    batches: Sequence[Batch]
    older: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch has come. Shares are per cents of its items."""

    total: int
    completed: int
    failed: int
    running: int
    waiting: int
    cost_microusd: int

    @property
    def completed_share(self) -> float:
        return 100 * self.completed / max(1, self.total)

    @property
    def failed_share(self) -> float:
        return 100 * self.failed / max(1, self.total)

    @property
    def ended_share(self) -> float:
        return self.completed_share + self.failed_share


@dataclass(frozen=True, slots=True)
class Item:
    """One item, with its job if it has one."""

    item: BatchItem
    job: Job | None


def listed(project: Project, *, before: str = "") -> Slice:
    """A page of the project's batches."""
    batches = Batch.objects.of(project).newest_first().select_related("api_key")
    if before:
        batches = batches.filter(pk__lt=before)
    found = list(batches.defer("errors", "metadata")[: PAGE + 1])
    return Slice(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def one(project: Project, batch_id: str) -> Batch | None:
    """A batch of the project."""
    return Batch.objects.of(project).filter(pk=batch_id).select_related("api_key", "project").first()


def progress(batches: Sequence[Batch]) -> list[Progress]:
    """How far each has come: counted once it has ended, until then from its jobs. Two queries for all of them."""
    running = [batch.pk for batch in batches if batch.is_open]
    jobs: dict[str, dict[str, tuple[int, int]]] = {}
    counted = Job.objects.of_batch(*running).values_list("batch_id", "status")
    for batch_id, status, number, cost in counted.annotate(n=Count("pk"), cost=Sum("cost_microusd")):
        jobs.setdefault(batch_id, {})[status] = (number, cost or 0)
    still = BatchItem.objects.waiting().filter(batch_id__in=running).values_list("batch_id").annotate(n=Count("pk"))
    waiting = dict(still)
    return [_progress(batch, jobs.get(batch.pk, {}), waiting.get(batch.pk, 0)) for batch in batches]


def _progress(batch: Batch, jobs: Mapping[str, tuple[int, int]], waiting: int) -> Progress:
    if not batch.is_open:
        return Progress(batch.total, batch.completed, batch.failed, 0, 0, batch.cost_microusd)
    open_ = sum(jobs.get(status, (0, 0))[0] for status in OPEN)
    completed = jobs.get("completed", (0, 0))[0]
    failed = max(0, batch.total - completed - open_ - waiting)
    return Progress(batch.total, completed, failed, open_, waiting, sum(cost for _, cost in jobs.values()))


def items(batch: Batch, *, after: int) -> tuple[Sequence[Item], int | None]:
    """A page of its items in their order, and the index that the next page begins after."""
    found = list(BatchItem.objects.of(batch.pk).filter(index__gt=after).in_order().defer("request")[: ITEMS + 1])
    shown = found[:ITEMS]
    ids = [item.job_id for item in shown if item.job_id]
    light = Job.objects.defer("result", "details", "route", "grant", "request")
    jobs = {job.pk: job for job in light.filter(pk__in=ids, project_id=batch.project_id)}
    rows = [Item(item, jobs.get(item.job_id)) for item in shown]
    return rows, shown[-1].index if len(found) > ITEMS else None
