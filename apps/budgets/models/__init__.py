"""The facts about money: budgets, what each window of them has spent and holds, and the ledger that proves it."""

from apps.budgets.models.alerts import Alert, Notification
from apps.budgets.models.budgets import Budget
from apps.budgets.models.ledger import LedgerEntry
from apps.budgets.models.windows import BudgetWindow, Hold, RollingStep

__all__ = ["Alert", "Budget", "BudgetWindow", "Hold", "LedgerEntry", "Notification", "RollingStep"]
