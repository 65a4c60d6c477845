"""Batches of the demonstration: a night's worth of small chats, of which some fail, are wrong or are cancelled half-way."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.budgets.fitting import Amounts
from apps.dashboard.demo import making
from apps.dashboard.demo.cast import Key
from apps.dashboard.demo.making import Made
from apps.jobs.batches import finishing
from apps.jobs.batches.items import NewItem, row
from apps.jobs.batches.models import Batch, BatchItem, BatchStatus
from apps.jobs.batches.services import PREFIX, WINDOW
from apps.jobs.ids import new_id
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey, Project

Ending = Literal["completed", "partly", "cancelled"]
ENDINGS: tuple[Ending, ...] = ("completed", "partly", "completed", "cancelled")
"""How one after the other ends."""
PURPOSES = ("Ticket summaries", "Review sentiment", "Release notes in German", "Paper digest")
EVERY = timedelta(days=5)
_WRONG = {"code": "invalid_value", "message": "'messages' is empty.", "param": "messages", "status": 400}
_CANCELLED = {"code": "cancelled", "message": "The batch was cancelled before this item was asked."}


@dataclass(frozen=True, slots=True)
class Place:
    """An item that is to run: which, when, and what came of it."""

    item: BatchItem
    batch: Batch
    made: Made
    at: datetime

    @property
    def envelope(self) -> budgets.Envelope:
        """What the batch's hold keeps for it."""
        return budgets.Envelope(self.batch.pk, Amounts(self.item.share_microusd, self.item.share_tokens))

    def take(self, job_id: str) -> None:
        """It has its job."""
        BatchItem.objects.filter(pk=self.item.pk).update(waiting=False, request=None, job_id=job_id)

    def refuse(self, why: str) -> None:
        """There was no money for it."""
        error = {"code": "insufficient_quota", "message": why}
        BatchItem.objects.filter(pk=self.item.pk).update(waiting=False, request=None, error=error)


def moments(rng: Random, *, start: datetime, now: datetime) -> list[datetime]:
    """When batches were sent: a few of them, at night, the last one less than half a day ago."""
    at, found = now - timedelta(hours=rng.uniform(4, 10)), []
    while at > start:
        found.append(at)
        at -= EVERY * rng.uniform(0.7, 1.3)
    return found[::-1]


def begin(project: Project, key: Key, api_key: ApiKey, rng: Random, ending: Ending, at: datetime) -> list[Place]:
    """Make a batch with its items and its hold; what is to be run of it. `end` it afterwards."""
    batch = Batch(
        id=new_id(PREFIX, at),
        project=project,
        api_key=api_key,
        status=BatchStatus.IN_PROGRESS,
        ending=BatchStatus.CANCELLED if ending == "cancelled" else BatchStatus.COMPLETED,
        metadata={"purpose": rng.choice(PURPOSES)},
        patient=True,
        created_at=at,
        started_at=at + timedelta(seconds=1),
        expires_at=at + WINDOW,
    )
    chats = replace(key, kind="chat")
    runs = [making.job(chats, rng, at=at, number=rng.randrange(10**12)) for _ in range(rng.randint(8, 20))]
    new = [NewItem(request=ChatRequest.from_json(made.request), custom_id=f"row-{n}") for n, made in enumerate(runs)]
    if ending == "partly":
        new[len(new) // 2] = NewItem(error=_WRONG, custom_id=f"row-{len(new) // 2}")
    rows = [row(each, batch_id=batch.pk, index=index) for index, each in enumerate(new)]
    batch.total = len(rows)
    batch.save(force_insert=True)
    BatchItem.objects.bulk_create(rows)
    _hold(batch, rows, at)
    asked = len(rows) // 2 if ending == "cancelled" else len(rows)
    waiting = [(each, made) for each, made in zip(rows, runs, strict=True) if each.waiting][:asked]
    gap = timedelta(seconds=rng.uniform(4, 30))
    return [Place(each, batch, made, at + gap * number) for number, (each, made) in enumerate(waiting, 1)]


def end(batch: Batch, *, now: datetime) -> None:
    """All that was to run has run: what was not asked says why, and the hold goes back."""
    BatchItem.objects.of(batch.pk).waiting().update(waiting=False, request=None, error=_CANCELLED)
    if batch.ending == BatchStatus.CANCELLED:
        Batch.objects.filter(pk=batch.pk).update(cancelling_at=now)
    Batch.objects.filter(pk=batch.pk).update(finalizing_at=now)
    finishing.close(batch_id=batch.pk, now=now)


def _hold(batch: Batch, rows: list[BatchItem], at: datetime) -> None:
    shares = [Amounts(each.share_microusd, each.share_tokens) for each in rows if each.waiting]
    held = budgets.reserve(
        project_id=batch.project_id,
        key_id=batch.api_key_id,
        job_id=batch.pk,
        amount_microusd=sum(share.microusd for share in shares),
        tokens=sum(share.tokens for share in shares),
        expires_at=batch.expires_at,
        now=at,
        shrink=True,
        minimum_microusd=0,
        minimum_tokens=0,
    )
    audit.record(
        actor=f"key:{batch.api_key.public_id}",
        action="batch.submitted",
        target_type="batch",
        target_id=batch.pk,
        project_id=batch.project.slug,
        data={"items": batch.total, "held_microusd": held.amount_microusd},
        now=at,
    )
