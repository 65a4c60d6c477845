"""The end of a hold: it is settled with what the job spent, or released."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.budgets import alerts, windows
from apps.budgets.fitting import NOTHING, Amounts
from apps.budgets.models import Hold, LedgerEntry
from apps.claude.spec import Usage


def settle(
    *, project_id: int, key_id: int | None, job_id: str, usage: Usage, cost_microusd: int, now: datetime
) -> bool:
    """Book what a job spent and give back the rest of its holds. False, with nothing written, if that was done before.

    It is booked in the windows that held it, though they may have ended, and as the job's bill, also without any
    budget. What was spent is booked even where the hold has been released or was too small: the ledger tells the truth.
    Call it in the transaction that closes the job. A job that spent nothing is released.
    """
    spent = Amounts(cost_microusd, usage.total_tokens)
    if spent == NOTHING:
        return release(job_id=job_id, now=now)
    with transaction.atomic(savepoint=False):
        holds = _lock(job_id)
        bill = _entry(LedgerEntry.Kind.SETTLE, spent=spent, usage=usage, job_id=job_id, now=now)
        bill.project_id, bill.api_key_id = project_id, key_id
        if not holds:
            return _bill_once(bill)
        entries = [_settle(hold, spent=spent, usage=usage, now=now) for hold in holds]
        LedgerEntry.objects.bulk_create([bill, *entries])
    return True


def release(*, job_id: str, now: datetime) -> bool:
    """Give back everything that a job holds, as when it never ran. False if it holds nothing."""
    with transaction.atomic(savepoint=False):
        return _release([hold for hold in _lock(job_id) if hold.state == Hold.State.HELD], reason="", now=now) > 0


def extend(*, job_id: str, expires_at: datetime) -> bool:
    """Move the moment at which a job's holds expire. False if it holds nothing."""
    with transaction.atomic(savepoint=False):
        # One by one in lock order, as an UPDATE of several rows takes them in any.
        held = Hold.objects.held().of_job(job_id).select_for_update(of=("self",)).values_list("pk", flat=True)
        return Hold.objects.filter(pk__in=list(held)).update(expires_at=expires_at) > 0


def expire_holds(*, now: datetime, limit: int = 500) -> int:
    """Release the holds of jobs that were not heard of in time; how many there were. The sweep calls it, and again."""
    jobs = Hold.objects.over(now).order_by("expires_at").values_list("job_id", flat=True)[:limit]
    return sum(_expire(job_id, now=now) for job_id in dict.fromkeys(jobs))


def release_manually(*, hold: Hold, actor: str, reason: str, now: datetime) -> bool:
    """Give back a hold by hand; audited. False if it has ended. Should its job spend after all, that is booked."""
    with transaction.atomic():
        held = [each for each in _lock(hold.job_id) if each.pk == hold.pk and each.state == Hold.State.HELD]
        if not _release(held, reason=f"{actor}: {reason}", now=now):
            return False
        audit.record(
            actor=actor,
            action="hold.released",
            target_type="job",
            target_id=hold.job_id,
            project_id=hold.project.slug,
            outcome="success",
            reason=reason,
            ip=None,
            data={
                "budget": held[0].window.budget_id,
                "amount_microusd": hold.amount_microusd,
                "amount_tokens": hold.amount_tokens,
            },
            now=now,
        )
    hold.state, hold.ended_at = Hold.State.RELEASED, now
    return True


def _expire(job_id: str, *, now: datetime) -> int:
    with transaction.atomic():
        over = [hold for hold in _lock(job_id) if hold.state == Hold.State.HELD and hold.expires_at <= now]
        return _release(over, reason="expired", now=now)


def _lock(job_id: str) -> list[Hold]:
    """A job's holds that are not settled, with their windows, locked in the order that everybody keeps."""
    unsettled = Hold.objects.of_job(job_id).exclude(state=Hold.State.SETTLED)
    return list(unsettled.select_related("window__budget").select_for_update(of=("self", "window")))


def _settle(hold: Hold, *, spent: Amounts, usage: Usage, now: datetime) -> LedgerEntry:
    window = hold.window
    windows.roll(window, now=now)
    before = Amounts(window.spent_microusd, window.spent_tokens)
    freed = _held(hold)
    _end(hold, Hold.State.SETTLED, now=now)
    windows.add(window, spent=spent, reserved=freed)
    if window.budget.rolling:
        windows.remember_step(window, spent=spent, now=now)
    alerts.raise_due(window, before=before, now=now)
    entry = _entry(LedgerEntry.Kind.SETTLE, spent=spent, usage=usage, job_id=hold.job_id, now=now)
    return _of(hold, entry, freed)


def _release(holds: Sequence[Hold], *, reason: str, now: datetime) -> int:
    entries = []
    for hold in holds:
        freed = _held(hold)
        _end(hold, Hold.State.RELEASED, now=now)
        windows.add(hold.window, reserved=freed)
        entry = LedgerEntry(kind=LedgerEntry.Kind.RELEASE, job_id=hold.job_id, reason=reason[:200], created_at=now)
        entries.append(_of(hold, entry, freed))
    LedgerEntry.objects.bulk_create(entries)
    return len(entries)


def _held(hold: Hold) -> Amounts:
    """By how much its window's reserved counters change when it ends."""
    return Amounts(-hold.amount_microusd, -hold.amount_tokens) if hold.state == Hold.State.HELD else NOTHING


def _end(hold: Hold, state: Hold.State, *, now: datetime) -> None:
    """The one conditional UPDATE. The hold is locked: it can only fail where locks do."""
    if not Hold.objects.filter(pk=hold.pk, state=hold.state).update(state=state, ended_at=now):
        raise RuntimeError(f"hold {hold.pk} changed under its lock")


def _entry(kind: LedgerEntry.Kind, *, spent: Amounts, usage: Usage, job_id: str, now: datetime) -> LedgerEntry:
    return LedgerEntry(
        kind=kind,
        job_id=job_id,
        spent_microusd=spent.microusd,
        spent_tokens=spent.tokens,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        created_at=now,
    )


def _of(hold: Hold, entry: LedgerEntry, freed: Amounts) -> LedgerEntry:
    entry.project_id, entry.api_key_id, entry.window = hold.project_id, hold.api_key_id, hold.window
    entry.reserved_microusd, entry.reserved_tokens = freed.microusd, freed.tokens
    return entry


def _bill_once(bill: LedgerEntry) -> bool:
    """Write the bill of a job without holds, unless it has one: then it was settled before."""
    try:
        with transaction.atomic():
            bill.save(force_insert=True)
    except IntegrityError:
        if LedgerEntry.objects.bills().filter(job_id=bill.job_id).exists():
            return False
        raise
    return True
