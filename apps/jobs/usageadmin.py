"""Usage in the admin: the rows that it is read from, and where cost figures parted. Nothing can be done to them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import moment
from apps.jobs.joblisting import Choices, KindFilter, ReadOnly
from apps.jobs.models import Drift, DriftNotice, ProjectRollup, Rollup
from apps.permissions.words import dollars


class SpanFilter(Choices):
    """How much time a row holds."""

    title = "span"
    parameter_name = "span"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("0", "One job"), ("15", "15 minutes"), ("60", "An hour"), ("1440", "A day")]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return jobs.filter(span=int(value))


class FoldedSpanFilter(SpanFilter):
    """The same where nothing is of a single job."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return super().lookups(request, model_admin)[1:]


class StatusFilter(Choices):
    """How the jobs ended."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in ("completed", "failed", "cancelled", "refused")]

    def narrow(self, jobs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return jobs.filter(status=value)


@admin.register(Rollup)
class RollupAdmin(ReadOnly, admin.ModelAdmin[Any]):
    """Newest first. Each span holds all that the shorter ones do."""

    list_display = ["starts", "span", "project", "api_key", "model", "kind", "status", "error_code", "requests", "cost"]
    list_select_related = ["project", "api_key"]
    list_filter = [SpanFilter, StatusFilter, KindFilter]
    list_per_page = 50
    search_fields = ["=project__slug", "=api_key__public_id", "=model", "=job_id"]
    search_help_text = "A whole project, public key id, model or, of what is not folded yet, job id."
    ordering = ["-start", "-span", "-id"]
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="Starts")
    def starts(self, rollup: Rollup | ProjectRollup) -> SafeString:
        """The beginning of the span."""
        return moment(rollup.starts_at)

    @admin.display(description="Cost")
    def cost(self, rollup: Rollup | ProjectRollup) -> str:
        """In US dollars."""
        return dollars(rollup.cost_microusd)


@admin.register(ProjectRollup)
class ProjectRollupAdmin(RollupAdmin):
    """The same of all keys of a project together."""

    list_display = ["starts", "span", "project", "model", "kind", "status", "error_code", "requests", "cost"]
    list_select_related = ["project"]
    list_filter = [FoldedSpanFilter, StatusFilter, KindFilter]
    search_fields = ["=project__slug", "=model"]
    search_help_text = "A whole project or model."


@admin.register(Drift)
class DriftAdmin(ReadOnly, admin.ModelAdmin[Drift]):
    """Newest first: what was metered, and the figure that differed."""

    list_display = ["day", "model", "measure", "metered", "other", "told"]
    list_filter = ["measure"]
    ordering = ["-day", "model"]
    sortable_by = ()

    @admin.display(description="Metered")
    def metered(self, drift: Drift) -> str:
        """In US dollars."""
        return dollars(drift.metered_microusd)

    @admin.display(description="The other figure")
    def other(self, drift: Drift) -> str:
        """In US dollars."""
        return dollars(drift.other_microusd)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Drift]:
        return super().get_queryset(request).prefetch_related("notices")

    @admin.display(description="Told")
    def told(self, drift: Drift) -> str:
        """To whom of `ALERT_EMAILS` and `ALERT_WEBHOOK_URL`, and whether it has arrived."""
        return ", ".join(f"{each.get_channel_display()} {_progress(each)}" for each in drift.notices.all()) or "nobody"


def _progress(notice: DriftNotice) -> str:
    if notice.delivered_at:
        return "delivered"
    state = f"after {notice.attempts} attempts" if notice.next_attempt_at else "given up"
    return f"{state}: {notice.error}" if notice.error else state
