"""What can be done about money. `reserve` before a job, `settle` or `release` after it; the rest is for people.

A job in one transaction each: `reserve` beside its row's insertion, `settle` beside its row's close.
"""

from apps.budgets.fitting import BudgetState, Shortfall
from apps.budgets.managing import Terms, activate, create, deactivate, edit, increase_temporarily
from apps.budgets.notifying import deliver_alerts, deliver_aside
from apps.budgets.reserving import BudgetExceeded, Envelope, Reservation, reserve
from apps.budgets.settling import expire_holds, extend, release, release_manually, settle
from apps.budgets.states import state, states_of

__all__ = [
    "BudgetExceeded",
    "BudgetState",
    "Envelope",
    "Reservation",
    "Shortfall",
    "Terms",
    "activate",
    "create",
    "deactivate",
    "deliver_alerts",
    "deliver_aside",
    "edit",
    "expire_holds",
    "extend",
    "increase_temporarily",
    "release",
    "release_manually",
    "reserve",
    "settle",
    "state",
    "states_of",
]
