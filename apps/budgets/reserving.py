"""Admission: a job holds the most that it can cost in every budget above it, or it does not start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from apps.budgets import statements, windows
from apps.budgets.fitting import (
    NOTHING,
    Amounts,
    BudgetState,
    Count,
    Measure,
    Rule,
    Shortfall,
    fit,
    frees_at,
    modest,
)
from apps.budgets.models import LedgerEntry, RollingStep
from apps.budgets.periods import ROLLING
from apps.budgets.statements import Entry, Window
from apps.permissions.words import dollars

MINIMUM_MICROUSD = 10_000
"""What a job that may shrink still needs: a cent."""
MINIMUM_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a job holds: its cap. Without any budget it is what was asked for."""

    job_id: str
    amount_microusd: int
    tokens: int
    budget_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one hold keeps for several jobs, and how much of it is this job's."""

    job_id: str
    """Whose hold it is: a batch's."""
    share: Amounts


class BudgetExceeded(Exception):
    """The job does not fit. `shortfalls` are all the budgets in its way, in the order of their ids."""

    def __init__(self, shortfalls: Sequence[Shortfall]) -> None:
        self.shortfalls = tuple(shortfalls)
        super().__init__(" ".join(map(_sentence, self.shortfalls)))

    @property
    def hopeless(self) -> bool:
        """Whether waiting is no use: one of the budgets would not be enough even if nothing of it were spent."""
        return any(each.hopeless for each in self.shortfalls)

    @property
    def resets_at(self) -> datetime | None:
        """When all of them are free again by themselves; None: that is not known, or never."""
        moments = [None if each.hopeless else each.state.resets_at for each in self.shortfalls]
        known = [moment for moment in moments if moment is not None]
        return max(known, default=None) if len(known) == len(moments) else None


def reserve(
    *,
    project_id: int,
    key_id: int | None,
    job_id: str,
    amount_microusd: int,
    tokens: int,
    expires_at: datetime,
    now: datetime,
    shrink: bool = False,
    minimum_microusd: int = MINIMUM_MICROUSD,
    minimum_tokens: int = MINIMUM_TOKENS,
    out_of: Envelope | None = None,
) -> Reservation:
    """Hold money and tokens for a job in every active budget of the project and the key: in all of them, or in none.

    With `shrink` it holds what still fits, down to the minimum. With `out_of` the job's share moves over from that hold
    where it has one in the same window, and beyond the share it takes an eighth of what is free at most: a batch leaves
    room for others. Call it once for a job, inside the transaction that makes the job. Raises BudgetExceeded, having
    written nothing but new windows; the transaction stays usable.
    """
    if amount_microusd < 0 or tokens < 0:
        raise ValueError("a job cannot hold less than nothing")
    wanted = Amounts(amount_microusd, tokens)
    rules = statements.binding(project_id=project_id, key_id=key_id, now=now)
    if not rules:
        return Reservation(job_id, wanted.microusd, wanted.tokens, ())
    minimum = Amounts(minimum_microusd, minimum_tokens) if shrink else wanted
    with transaction.atomic(savepoint=False):
        parts = statements.lock_envelope(out_of.job_id) if out_of else {}
        locked = [windows.lock(rule, now=now) for rule in rules]
        freed = {window.pk: _part(out_of.share, parts.get(window.pk)) if out_of else NOTHING for window in locked}
        states = [
            BudgetState.of(window.rule, window.where, spent=window.spent, reserved=window.reserved + -freed[window.pk])
            for window in locked
        ]
        fitted = fit(states, wanted=wanted, minimum=minimum)
        if isinstance(fitted, Amounts):
            if out_of:
                fitted = modest(fitted, states, share=out_of.share)
                _move_out(out_of.job_id, locked, parts, freed, key_id=key_id, now=now)
            _hold(locked, fitted, key_id=key_id, job_id=job_id, expires_at=expires_at, now=now)
            return Reservation(job_id, fitted.microusd, fitted.tokens, tuple(rule.budget_id for rule in rules))
        short = [_with_reset(each, rules) for each in fitted]
    raise BudgetExceeded(short)  # out here, where it does not spoil the caller's transaction


def _hold(
    locked: Sequence[Window],
    amounts: Amounts,
    *,
    key_id: int | None,
    job_id: str,
    expires_at: datetime,
    now: datetime,
) -> None:
    for window in locked:
        if not statements.take(window, amounts):  # it is locked and was measured: this can only happen where locks fail
            raise RuntimeError(f"window {window.pk} changed under its lock")
    statements.insert_holds(locked, job_id=job_id, key_id=key_id, amounts=amounts, expires_at=expires_at, now=now)
    reserve = LedgerEntry.Kind.RESERVE
    statements.insert_entries(
        [Entry(reserve, window.rule.project_id, key_id, window.pk, job_id, amounts, NOTHING) for window in locked],
        now=now,
    )


def _part(share: Amounts, held: tuple[int, Amounts] | None) -> Amounts:
    """How much of the share the envelope still has in a window."""
    if held is None:
        return NOTHING
    return Amounts(min(share.microusd, held[1].microusd), min(share.tokens, held[1].tokens))


def _move_out(
    envelope: str,
    locked: Sequence[Window],
    parts: Mapping[int, tuple[int, Amounts]],
    freed: Mapping[int, Amounts],
    *,
    key_id: int | None,
    now: datetime,
) -> None:
    """Take a job's share out of the envelope. What the job then holds is counted by itself."""
    entries = []
    for window in locked:
        part = freed[window.pk]
        if part != NOTHING:
            statements.carve(parts[window.pk][0], part)
            statements.add(window, spent=NOTHING, reserved=-part)
            kind, project_id = LedgerEntry.Kind.RELEASE, window.rule.project_id
            entries.append(
                Entry(kind, project_id, key_id, window.pk, envelope, -part, NOTHING, reason="held by an item of it")
            )
    if entries:
        statements.insert_entries(entries, now=now)


def _with_reset(short: Shortfall, rules: Sequence[Rule]) -> Shortfall:
    """A rolling budget's shortfall with the moment at which enough of it is free. The rest know theirs."""
    cycle = next(rule.cycle for rule in rules if rule.budget_id == short.state.budget_id)
    if not cycle.rolling:
        return short
    field = "spent_microusd" if short.measure == "microusd" else "spent_tokens"
    steps = RollingStep.objects.filter(window__budget=short.state.budget_id).order_by("starts_at")
    count = short.state.count(short.measure)
    missing = short.needed + count.spent + count.reserved - _limit(count)
    resets_at = frees_at(ROLLING[cycle.period], steps.values_list("starts_at", field), missing)
    return replace(short, state=replace(short.state, resets_at=resets_at))


def _sentence(short: Shortfall) -> str:
    state, count = short.state, short.state.count(short.measure)
    figures = (
        f"{_figure(count.spent, short.measure)} spent and {_figure(count.reserved, short.measure)} held of "
        f"{_figure(_limit(count), short.measure)} {state.span}"
    )
    needs = f"this request needs {_figure(short.needed, short.measure)}"
    name = f" “{state.name}”" if state.name else ""
    return f"Over the {state.scope}'s budget{name}: {figures}; {needs}. {_outlook(short)}"


def _outlook(short: Shortfall) -> str:
    if short.hopeless:
        return "Not even an empty budget would be enough."
    if short.state.resets_at is None:
        return "It does not reset by itself."
    return f"It resets at {short.state.resets_at:%Y-%m-%d %H:%M} UTC."


def _limit(count: Count) -> int:
    return count.limit or 0


def _figure(amount: int, measure: Measure) -> str:
    return dollars(amount) if measure == "microusd" else f"{amount:,} tokens"
