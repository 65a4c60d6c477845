"""The end of a hold: it is settled with what the job spent, or released."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.budgets import alerts, statements, windows
from apps.budgets.fitting import NOTHING, Amounts
from apps.budgets.models import Hold, LedgerEntry
from apps.budgets.statements import Entry, Held
from apps.claude.spec import Usage


def settle(
    *, project_id: int, key_id: int | None, job_id: str, usage: Usage, cost_microusd: int, now: datetime
) -> bool:
    """Book what a job spent and give back the rest of its holds. False, with nothing written, if that was done before.

    It is booked in the windows that held it, though they may have ended, and as the job's bill, also without any
    budget. What was spent is booked even where the hold has been released or was too small: the ledger tells the truth.
    Call it in the transaction that closes the job. A job that spent nothing is released.
    """
    if min(cost_microusd, *astuple(usage)) < 0:
        raise ValueError("a job cannot spend less than nothing")
    spent = Amounts(cost_microusd, usage.total_tokens)
    if spent == NOTHING:
        return release(job_id=job_id, now=now)
    kinds = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    bill = Entry(LedgerEntry.Kind.SETTLE, project_id, key_id, None, job_id, NOTHING, spent, kinds)
    with transaction.atomic(savepoint=False):
        holds = statements.lock_holds(job_id, now=now)
        if not holds:
            return _bill_once(bill, now=now)
        entries = [_settle(held, bill, now=now) for held in holds]
        statements.insert_entries([bill, *entries], now=now)
    return True


def release(*, job_id: str, now: datetime) -> bool:
    """Give back everything that a job holds, as when it never ran. False if it holds nothing."""
    with transaction.atomic(savepoint=False):
        return _release(job_id, _still_held(job_id, now=now), reason="", now=now) > 0


def extend(*, job_id: str, expires_at: datetime) -> bool:
    """Move the moment at which a job's holds expire. False if it holds nothing."""
    with transaction.atomic(savepoint=False):
        # In lock order first, as an UPDATE of several rows takes them in any.
        held = Hold.objects.held().of_job(job_id).select_for_update(of=("self",)).values_list("pk", flat=True)
        return Hold.objects.filter(pk__in=list(held)).update(expires_at=expires_at) > 0


def expire_holds(*, now: datetime, limit: int = 500) -> int:
    """Release the holds of jobs that were not heard of in time; how many there were. The sweep calls it, and again."""
    jobs = Hold.objects.over(now).order_by("expires_at").values_list("job_id", flat=True)[:limit]
    return sum(_expire(job_id, now=now) for job_id in dict.fromkeys(jobs))


def release_manually(*, hold: Hold, actor: str, reason: str, ip: str | None = None, now: datetime) -> bool:
    """Give back a hold by hand; audited. False if it has ended. Should its job spend after all, that is booked."""
    with transaction.atomic():
        held = [each for each in _still_held(hold.job_id, now=now) if each.pk == hold.pk]
        if not _release(hold.job_id, held, reason=f"{actor}: {reason}", now=now):
            return False
        audit.record(
            actor=actor,
            action="hold.released",
            target_type="job",
            target_id=hold.job_id,
            project_id=hold.project.slug,
            reason=reason,
            ip=ip,
            data={
                "budget": held[0].window.rule.budget_id,
                "amount_microusd": hold.amount_microusd,
                "amount_tokens": hold.amount_tokens,
            },
            now=now,
        )
    hold.state, hold.ended_at = Hold.State.RELEASED, now
    return True


def _expire(job_id: str, *, now: datetime) -> int:
    with transaction.atomic():
        over = [held for held in _still_held(job_id, now=now) if held.expires_at <= now]
        return _release(job_id, over, reason="expired", now=now)


def _still_held(job_id: str, *, now: datetime) -> list[Held]:
    return [held for held in statements.lock_holds(job_id, now=now) if held.state == Hold.State.HELD]


def _settle(held: Held, bill: Entry, *, now: datetime) -> Entry:
    window = held.window
    windows.roll(window, now=now)
    before, freed = window.spent, _freed(held)
    _end(held, Hold.State.SETTLED, now=now)
    statements.add(window, spent=bill.spent, reserved=freed)
    if window.rule.cycle.rolling:
        windows.remember_step(window, spent=bill.spent, now=now)
    alerts.raise_due(window, before=before, now=now)
    return Entry(bill.kind, held.project_id, held.key_id, window.pk, bill.job_id, freed, bill.spent, bill.kinds)


def _release(job_id: str, holds: Sequence[Held], *, reason: str, now: datetime) -> int:
    entries = []
    for held in holds:
        freed, kind = _freed(held), LedgerEntry.Kind.RELEASE
        _end(held, Hold.State.RELEASED, now=now)
        statements.add(held.window, spent=NOTHING, reserved=freed)
        entries.append(Entry(kind, held.project_id, held.key_id, held.window.pk, job_id, freed, NOTHING, reason=reason))
    if entries:
        statements.insert_entries(entries, now=now)
    return len(entries)


def _freed(held: Held) -> Amounts:
    """By how much its window's reserved counters change when it ends."""
    return -held.amounts if held.state == Hold.State.HELD else NOTHING


def _end(held: Held, state: Hold.State, *, now: datetime) -> None:
    if not statements.end_hold(held, state=state, now=now):  # it is locked: this can only happen where locks fail
        raise RuntimeError(f"hold {held.pk} changed under its lock")


def _bill_once(bill: Entry, *, now: datetime) -> bool:
    """Write the bill of a job without holds, unless it has one: then it was settled before."""
    try:
        with transaction.atomic():
            statements.insert_entries([bill], now=now)
    except IntegrityError:
        if LedgerEntry.objects.bills().filter(job_id=bill.job_id).exists():
            return False
        raise
    return True
