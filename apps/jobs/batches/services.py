"""What can be done with batches. Only `create` makes one; the rest of its life is `feeding`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.audit import services as audit
from apps.budgets import services as budgets
from apps.budgets.fitting import Amounts
from apps.jobs import idempotency, news
from apps.jobs.admission import HOLD_GRACE, MINIMUM
from apps.jobs.batches import feeding
from apps.jobs.batches.items import NewItem, insert, insertable, row
from apps.jobs.batches.models import Batch, BatchStatus
from apps.jobs.engines import credential
from apps.jobs.idempotency import Once
from apps.jobs.ids import new_id
from apps.jobs.services import CredentialMissing
from apps.keys.models import ApiKey

MAX_ITEMS = 10_000
WINDOW = timedelta(hours=24)
"""How long a batch may take: what is not answered then is not asked any more."""
PREFIX = "batch_"


def create(
    *,
    key: ApiKey,
    items: Sequence[NewItem],
    request_id: str,
    endpoint: str = "",
    input_file_id: str = "",
    metadata: Mapping[str, str] | None = None,
    once: Once | None = None,
    patient: bool = True,
    now: datetime,
) -> Batch:
    """A batch of these items, with one hold for all of them, on record. `feed` begins it.

    Its hold is what its items are reckoned to cost, or what is left in the key's budgets if that is less. Then the last
    items may find no money: a patient batch waits for it as long as it may take, another refuses them. Raises
    CredentialMissing, BudgetExceeded if not even one item could be paid, and Raced if the same was asked under the word
    of `once` in this moment.
    """
    if credential() is None:
        raise CredentialMissing
    batch = _new(key, len(items), request_id, endpoint, input_file_id, metadata, now)
    batch.patient = patient
    rows = [row(new, batch_id=batch.id, index=index) for index, new in enumerate(items)]
    shares = [Amounts(each.share_microusd, each.share_tokens) for each in rows if each.waiting]
    ready = insertable(rows)
    with transaction.atomic():
        batch.save(force_insert=True)
        insert(ready)
        held = _hold(key, batch, shares, now) if shares else 0
        if once:
            idempotency.remember(key=key, once=once, target=batch.id, now=now)
        _record("batch.submitted", key, batch, {"items": len(items), "held_microusd": held}, now=now)
        news.tell(batch.project_id)
    return batch


def create_failed(
    *,
    key: ApiKey,
    errors: Sequence[Mapping[str, object]],
    request_id: str,
    endpoint: str,
    input_file_id: str,
    metadata: Mapping[str, str] | None = None,
    now: datetime,
) -> Batch:
    """A batch whose file could not be used: it has ended before it began, and says why line by line."""
    batch = _new(key, 0, request_id, endpoint, input_file_id, metadata, now)
    batch.status = batch.ending = BatchStatus.FAILED
    batch.errors = [dict(error) for error in errors]
    batch.finished_at = now
    with transaction.atomic():
        batch.save(force_insert=True)
        _record("batch.submitted", key, batch, {"items": 0}, outcome="failed", now=now)
    return batch


def cancel(*, batch: Batch, now: datetime) -> bool:
    """Ask no more of it, and end what runs. False if it was ending already."""
    waiting = (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS)
    ending = {"status": BatchStatus.CANCELLING, "ending": BatchStatus.CANCELLED, "cancelling_at": now}
    with transaction.atomic():
        if not Batch.objects.filter(pk=batch.pk, status__in=waiting, finalizing_at=None).update(**ending):
            return False
        _record("batch.cancelled", batch.api_key, batch, {}, now=now)
        news.tell(batch.project_id)
    feeding.feed(batch_id=batch.pk, now=now)
    return True


def _new(
    key: ApiKey,
    total: int,
    request_id: str,
    endpoint: str,
    input_file_id: str,
    metadata: Mapping[str, str] | None,
    now: datetime,
) -> Batch:
    return Batch(
        id=new_id(PREFIX, now),
        project=key.project,
        api_key=key,
        request_id=request_id[:64],
        endpoint=endpoint,
        input_file_id=input_file_id,
        metadata=dict(metadata) if metadata else None,
        total=total,
        created_at=now,
        expires_at=now + WINDOW,
    )


def _hold(key: ApiKey, batch: Batch, shares: Sequence[Amounts], now: datetime) -> int:
    reservation = budgets.reserve(
        project_id=key.project_id,
        key_id=key.pk,
        job_id=batch.id,
        amount_microusd=sum(share.microusd for share in shares),
        tokens=sum(share.tokens for share in shares),
        expires_at=batch.expires_at + timedelta(seconds=settings.JOB_TIMEOUT_SECONDS) + HOLD_GRACE,
        now=now,
        shrink=True,
        minimum_microusd=min(MINIMUM.microusd, *(share.microusd for share in shares)),
        minimum_tokens=MINIMUM.tokens,
    )
    return reservation.amount_microusd


def _record(
    action: str, key: ApiKey, batch: Batch, data: Mapping[str, object], *, outcome: str = "ok", now: datetime
) -> None:
    audit.record(
        actor=f"key:{key.public_id}",
        action=action,
        target_type="batch",
        target_id=batch.id,
        project_id=key.project.slug,
        outcome=outcome,
        data=data,
        request_id=batch.request_id,
        now=now,
    )
