"""How the admin lists keys when there are a hundred thousand of them."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.keys.expiry import SOON
from apps.keys.models import ApiKey

IDLE = timedelta(days=90)


class StateFilter(admin.SimpleListFilter):
    """Whether a key works now, and how long it will."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("usable", "Usable"),
            ("expiring", f"Expiring in {SOON.days} days"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        match self.value():
            case "usable":
                return queryset.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
            case "expiring":
                return queryset.filter(revoked_at=None, expires_at__gt=now, expires_at__lte=now + SOON)
            case "expired":
                return queryset.filter(revoked_at=None, expires_at__lte=now)
            case "revoked":
                return queryset.exclude(revoked_at=None)
        return queryset


class UseFilter(admin.SimpleListFilter):
    """Keys that nobody would miss."""

    title = "last use"
    parameter_name = "use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("never", "Never used"), ("idle", f"Not for {IDLE.days} days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        match self.value():
            case "never":
                return queryset.filter(last_used_at=None)
            case "idle":
                return queryset.filter(last_used_at__lt=timezone.now() - IDLE)
        return queryset
