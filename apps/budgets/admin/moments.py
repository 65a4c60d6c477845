"""The ledger by time, without an index that every admission would pay for: its ids are in the order of time."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.periods import RECENT_TITLES, period
from apps.budgets.models import LedgerEntry

_LATE = timedelta(hours=1)
"""How much later than its moment an entry may have got its id: transactions that waited for each other, and more."""


def first_since(moment: datetime) -> int:
    """The id that no entry since the moment is below: two dozen look-ups of one row, however many there are."""
    newest = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
    low, high = 0, (newest or 0) + 1
    while low < high:
        middle = (low + high) // 2
        entry = LedgerEntry.objects.filter(pk__gte=middle).order_by("pk").values_list("pk", "created_at").first()
        if entry is not None and entry[1] < moment - _LATE:
            low = entry[0] + 1
        else:
            high = middle
    return low


class TimeFilter(admin.SimpleListFilter):
    """Recent entries only."""

    title = "time (UTC)"
    parameter_name = "time"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(RECENT_TITLES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        chosen = period(self.value() or "", now=timezone.now())
        if chosen is None:
            return queryset
        return queryset.filter(pk__gte=first_since(chosen.start), created_at__gte=chosen.start)
