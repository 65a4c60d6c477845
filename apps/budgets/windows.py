"""The window rows: found or made, locked, and rolled on.

Lock order, for everybody: the holds of one job, then windows by their budget's id. Two jobs never want them crosswise.
"""

from datetime import datetime

from django.db.models import F

from apps.budgets.fitting import NOTHING, Amounts, BudgetState, Count
from apps.budgets.models import Budget, BudgetWindow, LedgerEntry, RollingStep
from apps.budgets.periods import ROLLING, bounds, horizon, step_start


def lock(budget: Budget, *, now: datetime) -> BudgetWindow:
    """The budget's window of `now`, made if it is new and rolled on, locked until the transaction ends."""
    where = bounds(budget.cycle, now=now, since=budget.created_at)
    mine = BudgetWindow.objects.select_for_update().filter(budget=budget, starts_at=where.starts_at)
    window = mine.first()
    if window is None:
        fresh = BudgetWindow(
            budget=budget,
            starts_at=where.starts_at,
            ends_at=where.ends_at,
            horizon_at=horizon(ROLLING[budget.period], now) if budget.rolling else None,
        )
        BudgetWindow.objects.bulk_create([fresh], ignore_conflicts=True)
        window = mine.get()
    window.budget = budget
    roll(window, now=now)
    return window


def roll(window: BudgetWindow, *, now: datetime) -> None:
    """Let a rolling, locked window forget the steps that have grown too old. Others stay as they are."""
    if not window.budget.rolling:
        return
    edge = horizon(ROLLING[window.budget.period], now)
    if window.horizon_at is not None and window.horizon_at >= edge:
        return
    old = RollingStep.objects.filter(window=window, starts_at__lt=edge)
    sums = list(old.values_list("spent_microusd", "spent_tokens"))
    gone = Amounts(sum(microusd for microusd, _ in sums), sum(tokens for _, tokens in sums))
    old.delete()
    add(window, spent=Amounts(-gone.microusd, -gone.tokens), horizon_at=edge)
    if sums:
        LedgerEntry.objects.create(
            kind=LedgerEntry.Kind.ADJUST,
            project_id=window.budget.project_id,
            api_key_id=window.budget.api_key_id,
            window=window,
            spent_microusd=-gone.microusd,
            spent_tokens=-gone.tokens,
            reason=f"older than the period: before {edge:%Y-%m-%d %H:%M} UTC",
            created_at=now,
        )


def add(
    window: BudgetWindow,
    *,
    spent: Amounts = NOTHING,
    reserved: Amounts = NOTHING,
    horizon_at: datetime | None = None,
) -> None:
    """Change a locked window's counters, in the row and in the object."""
    moved = {} if horizon_at is None else {"horizon_at": horizon_at}
    BudgetWindow.objects.filter(pk=window.pk).update(
        spent_microusd=F("spent_microusd") + spent.microusd,
        spent_tokens=F("spent_tokens") + spent.tokens,
        reserved_microusd=F("reserved_microusd") + reserved.microusd,
        reserved_tokens=F("reserved_tokens") + reserved.tokens,
        **moved,
    )
    window.spent_microusd += spent.microusd
    window.spent_tokens += spent.tokens
    window.reserved_microusd += reserved.microusd
    window.reserved_tokens += reserved.tokens
    window.horizon_at = horizon_at or window.horizon_at


def remember_step(window: BudgetWindow, *, spent: Amounts, now: datetime) -> None:
    """Note in which step a rolling, locked window spent, so that it can forget it again."""
    starts_at = step_start(ROLLING[window.budget.period], now)
    grown = RollingStep.objects.filter(window=window, starts_at=starts_at).update(
        spent_microusd=F("spent_microusd") + spent.microusd, spent_tokens=F("spent_tokens") + spent.tokens
    )
    if not grown:
        RollingStep.objects.create(
            window=window, starts_at=starts_at, spent_microusd=spent.microusd, spent_tokens=spent.tokens
        )


def describe(budget: Budget, window: BudgetWindow, *, now: datetime) -> BudgetState:
    """The window as a value. A rolling one's `resets_at` is left open: it takes a look at the steps."""
    return BudgetState(
        budget_id=budget.pk,
        name=budget.name,
        scope=budget.scope,
        span=budget.span,
        microusd=Count(budget.limit_microusd_at(now), window.spent_microusd, window.reserved_microusd),
        tokens=Count(budget.limit_tokens_at(now), window.spent_tokens, window.reserved_tokens),
        starts_at=window.starts_at,
        resets_at=window.ends_at,
    )
