"""Money in the admin: budgets to make and change, holds to release, and the statement that proves them."""

from apps.budgets.admin.budgets import BudgetAdmin
from apps.budgets.admin.ledger import LedgerEntryAdmin
from apps.budgets.admin.records import AlertAdmin, BudgetWindowAdmin, HoldAdmin

__all__ = ["AlertAdmin", "BudgetAdmin", "BudgetWindowAdmin", "HoldAdmin", "LedgerEntryAdmin"]
