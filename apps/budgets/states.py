"""How budgets stand, for explain, usage and lists. Reads only."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import Q

from apps.budgets.fitting import MEASURES, NOTHING, Amounts, BudgetState, Count, Measure, frees_at
from apps.budgets.models import Budget, BudgetWindow, RollingStep
from apps.budgets.periods import ROLLING, Bounds, Span, bounds, horizon


def state(*, project_id: int, key_id: int | None, now: datetime) -> tuple[BudgetState, ...]:
    """Every budget that a request of the key must fit into; without a key those of the whole project."""
    return tuple(states_of(Budget.objects.binding(project_id=project_id, key_id=key_id), now=now))


def states_of(budgets: Iterable[Budget], *, now: datetime) -> list[BudgetState]:
    """The same for any budgets, in their order: two queries, one more where some are rolling."""
    chosen = list(budgets)
    places = {budget.pk: bounds(budget.cycle, now=now, since=budget.created_at) for budget in chosen}
    windows = _windows(places)
    steps = _steps([windows[budget.pk] for budget in chosen if budget.rolling and budget.pk in windows])
    return [_state(budget, windows.get(budget.pk), places[budget.pk], steps, now=now) for budget in chosen]


def _windows(places: dict[int, Bounds]) -> dict[int, BudgetWindow]:
    wanted = Q()
    for budget_id, where in places.items():
        wanted |= Q(budget_id=budget_id, starts_at=where.starts_at)
    return {window.budget_id: window for window in BudgetWindow.objects.filter(wanted)} if places else {}


def _steps(windows: Sequence[BudgetWindow]) -> dict[int, list[RollingStep]]:
    by_window: dict[int, list[RollingStep]] = {window.pk: [] for window in windows}
    if windows:
        for step in RollingStep.objects.filter(window__in=windows).order_by("starts_at"):
            by_window[step.window_id].append(step)
    return by_window


def _state(
    budget: Budget,
    window: BudgetWindow | None,
    where: Bounds,
    steps: dict[int, list[RollingStep]],
    *,
    now: datetime,
) -> BudgetState:
    if window is None:
        return BudgetState.of(budget.rule(now), where, spent=NOTHING, reserved=NOTHING)
    spent = Amounts(window.spent_microusd, window.spent_tokens)
    reserved = Amounts(window.reserved_microusd, window.reserved_tokens)
    state = BudgetState.of(budget.rule(now), where, spent=spent, reserved=reserved)
    return _rolled(state, ROLLING[budget.period], steps[window.pk], now=now) if budget.rolling else state


def _rolled(state: BudgetState, span: Span, steps: Sequence[RollingStep], *, now: datetime) -> BudgetState:
    """As the window will be once somebody has rolled it on, and when the next of its spend leaves."""
    old = [step for step in steps if step.starts_at < horizon(span, now)]
    live = [step for step in steps if step.starts_at >= horizon(span, now)]

    def forgotten(measure: Measure) -> Count:
        count = state.count(measure)
        return replace(count, spent=count.spent - sum(_spent(step, measure) for step in old))

    frees = [frees_at(span, ((step.starts_at, _spent(step, measure)) for step in live), 1) for measure in MEASURES]
    return replace(
        state,
        microusd=forgotten("microusd"),
        tokens=forgotten("tokens"),
        resets_at=min((moment for moment in frees if moment is not None), default=None),
    )


def _spent(step: RollingStep, measure: Measure) -> int:
    return step.spent_microusd if measure == "microusd" else step.spent_tokens
