"""Agents and skills in the admin: what was found, what is wrong with it, who may not be used, what is trusted."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.audit.paging import BoundedPaginator
from apps.capabilities import services
from apps.capabilities.models import Capability


class StateFilter(admin.SimpleListFilter):
    """Whether tasks can use it, and if not, why."""

    title = "state"
    parameter_name = "state"
    _CHOICES = {
        "usable": Q(enabled=True, fault="", missing_since=None),
        "disabled": Q(enabled=False),
        "faulty": ~Q(fault="") & Q(missing_since=None),
        "missing": Q(missing_since__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in self._CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Capability]) -> QuerySet[Capability]:
        wanted = self._CHOICES.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


@admin.register(Capability)
class CapabilityAdmin(admin.ModelAdmin[Capability]):
    """Files are edited where they are; here they are switched on and off, trusted, and looked for again."""

    change_list_template = "capabilities/change_list.html"
    list_display = ["name", "kind", "state", "summary", "wants", "source", "trusted", "last_seen_at"]
    list_filter = [StateFilter, "kind", "trusted", "runs_commands", "source"]
    search_fields = ["name", "description", "path"]
    ordering = ["kind", "name"]
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = ["enable_selected", "disable_selected", "trust_selected", "distrust_selected"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "state", "description", "wants", "model", "ignored"]}),
        ("Content", {"fields": ["body", "runs_commands", "trusted"]}),
        ("File", {"fields": ["source", "path", "size", "digest"]}),
        ("Seen", {"fields": ["first_seen_at", "changed_at", "last_seen_at", "missing_since"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        return [
            path("scan/", self.admin_site.admin_view(require_POST(self.scan)), name="capabilities_scan"),
            *super().get_urls(),
        ]

    def scan(self, request: HttpRequest) -> HttpResponse:
        """Look for agents and skills now."""
        if self._may(request):
            found = services.scan(actor=_actor(request), now=timezone.now())
            self.message_user(request, str(found), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:capabilities_capability_changelist"))

    @admin.action(description="Enable selected")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Capability]) -> None:
        """Tasks may use them."""
        self._set(request, rows, services.set_enabled, enabled=True)

    @admin.action(description="Disable selected")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Capability]) -> None:
        """No task may use them, whatever its profile allows."""
        self._set(request, rows, services.set_enabled, enabled=False)

    @admin.action(description="Trust selected skills: commands in their text run by themselves")
    def trust_selected(self, request: HttpRequest, rows: QuerySet[Capability]) -> None:
        """As their files are now."""
        self._set(request, rows.filter(kind="skill"), services.set_trusted, trusted=True)

    @admin.action(description="Trust selected skills no more")
    def distrust_selected(self, request: HttpRequest, rows: QuerySet[Capability]) -> None:
        """Their commands do not run."""
        self._set(request, rows.filter(kind="skill"), services.set_trusted, trusted=False)

    @admin.display(description="State")
    def state(self, row: Capability) -> str:
        """Whether tasks can use it, and if not, why."""
        if row.missing_since:
            return f"missing since {row.missing_since:%Y-%m-%d %H:%M}"
        return row.fault or ("usable" if row.enabled else "disabled")

    @admin.display(description="Description")
    def summary(self, row: Capability) -> str:
        """Its beginning."""
        return row.description if len(row.description) <= 80 else f"{row.description[:79]}…"

    @admin.display(description="Tools")
    def wants(self, row: Capability) -> str:
        """What it asks for; it never gets more than its task."""
        return "all of the task" if row.tools is None else ", ".join(row.tools) or "none"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if self._may(request) else {}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_scan": self._may(request)})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Capability | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Capability | None = None) -> bool:
        return False

    def _may(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("capabilities.change_capability"))

    def _set(self, request: HttpRequest, rows: QuerySet[Capability], verb: Any, **value: bool) -> None:
        ip = request.META.get("REMOTE_ADDR") or None
        count = sum(verb(capability=row, actor=_actor(request), now=timezone.now(), ip=ip, **value) for row in rows)
        self.message_user(request, f"{count} changed.", messages.SUCCESS)


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.get_username()}"
