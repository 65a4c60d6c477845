"""The window rows: found or made, locked, and rolled on."""

from datetime import datetime

from apps.budgets import statements
from apps.budgets.fitting import NOTHING, Amounts, Rule
from apps.budgets.models import BudgetWindow, LedgerEntry, RollingStep
from apps.budgets.periods import ROLLING, bounds, horizon, step_start
from apps.budgets.statements import Entry, Window


def lock(rule: Rule, *, now: datetime) -> Window:
    """The budget's window of `now`, made if it is new and rolled on, locked until the transaction ends."""
    where = bounds(rule.cycle, now=now, since=rule.since)
    window = statements.lock_window(rule, where.starts_at)
    if window is None:
        fresh = BudgetWindow(
            budget_id=rule.budget_id,
            starts_at=where.starts_at,
            ends_at=where.ends_at,
            horizon_at=horizon(ROLLING[rule.cycle.period], now) if rule.cycle.rolling else None,
        )
        BudgetWindow.objects.bulk_create([fresh], ignore_conflicts=True)  # somebody else may be making it too
        window = statements.lock_window(rule, where.starts_at)
    assert window is not None
    roll(window, now=now)
    return window


def roll(window: Window, *, now: datetime) -> None:
    """Let a rolling, locked window forget the steps that have grown too old. Others stay as they are."""
    rule = window.rule
    if not rule.cycle.rolling:
        return
    edge = horizon(ROLLING[rule.cycle.period], now)
    if window.horizon_at is not None and window.horizon_at >= edge:
        return
    old = RollingStep.objects.filter(window=window.pk, starts_at__lt=edge)
    steps = [Amounts(*step) for step in old.values_list("spent_microusd", "spent_tokens")]
    old.delete()
    BudgetWindow.objects.filter(pk=window.pk).update(horizon_at=edge)
    window.horizon_at = edge
    if steps:
        gone = -sum(steps, NOTHING)
        statements.add(window, spent=gone, reserved=NOTHING)
        reason = f"older than the period: before {edge:%Y-%m-%d %H:%M} UTC"
        entry = Entry(
            LedgerEntry.Kind.ADJUST, rule.project_id, rule.key_id, window.pk, "", NOTHING, gone, reason=reason
        )
        statements.insert_entries([entry], now=now)


def remember_step(window: Window, *, spent: Amounts, now: datetime) -> None:
    """Note in which step a rolling, locked window spent, so that it can forget it again."""
    statements.add_to_step(window, step_start(ROLLING[window.rule.cycle.period], now), spent)
