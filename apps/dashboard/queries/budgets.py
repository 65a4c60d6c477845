"""What pages ask of budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.budgets import services
from apps.budgets.fitting import BudgetState
from apps.budgets.models import Alert, Budget, BudgetWindow, Hold, LedgerEntry
from apps.dashboard import outlook
from apps.dashboard.outlook import Outlook
from apps.keys.models import Project

MOST = 200
HOLDS = 50
ENTRIES = 20
WINDOWS = 24


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget as it stands and where it goes."""

    budget: Budget
    state: BudgetState
    outlooks: Sequence[Outlook]

    @property
    def worst(self) -> Outlook:
        """The measure of which most is taken."""
        return max(self.outlooks, key=lambda each: each.taken)


def standings(project: Project, *, now: datetime, active_only: bool = False, most: int = MOST) -> list[Standing]:
    """The project's budgets: those of the whole project first, then those of keys. Three queries."""
    budgets = Budget.objects.filter(project=project).select_related("api_key", "project")
    if active_only:
        budgets = budgets.active()
    chosen = sorted(budgets.order_by("-active", "pk")[:most], key=lambda each: (not each.active, each.api_key_id or 0))
    states = services.states_of(chosen, now=now)
    return [_standing(budget, state, now) for budget, state in zip(chosen, states, strict=True)]


def one(project: Project, budget_id: int) -> Budget | None:
    """A budget of the project."""
    return Budget.objects.filter(project=project, pk=budget_id).select_related("project", "api_key").first()


def standing(budget: Budget, *, now: datetime) -> Standing:
    """The same for a single one."""
    return _standing(budget, services.states_of([budget], now=now)[0], now)


def holds(budget: Budget) -> list[Hold]:
    """What is held now, and for whom, the oldest first."""
    return list(
        Hold.objects.held().filter(window__budget=budget).select_related("api_key").order_by("created_at")[:HOLDS]
    )


def windows(budget: Budget) -> list[BudgetWindow]:
    """Its windows, the newest first."""
    return list(BudgetWindow.objects.filter(budget=budget).order_by("-starts_at")[:WINDOWS])


def entries(budget: Budget, state: BudgetState, *, before: int | None) -> list[LedgerEntry]:
    """What changed the present window's counters, newest first, and one more if there is more."""
    window = BudgetWindow.objects.filter(budget=budget, starts_at=state.starts_at).first()
    found = LedgerEntry.objects.filter(window=window).order_by("-pk") if window else LedgerEntry.objects.none()
    return list((found.filter(pk__lt=before) if before else found)[: ENTRIES + 1])


def alerts(ids: Sequence[int] | None, *, since: datetime | None = None, most: int = 5) -> list[Alert]:
    """The newest one of each window of these projects' budgets; None: of all projects."""
    found = Alert.objects.select_related("window__budget__project")
    if ids is not None:
        found = found.filter(window__budget__in=Budget.objects.filter(project_id__in=ids).values("pk"))
    if since is not None:
        found = found.filter(created_at__gte=since)
    newest: dict[int, Alert] = {}
    for alert in found.order_by("-pk")[: 4 * most]:
        newest.setdefault(alert.window_id, alert)
    return list(newest.values())[:most]


def _standing(budget: Budget, state: BudgetState, now: datetime) -> Standing:
    return Standing(budget, state, outlook.of(state, tuple(budget.thresholds), now=now, rolling=budget.rolling))
