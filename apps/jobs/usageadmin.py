"""Usage in the admin: the rows that it is read from, and where cost figures parted. Nothing can be done to them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import moment
from apps.jobs.joblisting import Choices, KindFilter, ReadOnly
from apps.jobs.models import Drift, DriftNotice, ProjectRollup, Rollup
from apps.keys.models import ApiKey, Project
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
    """Days, then hours, then quarter hours, each newest first: each span holds all that the shorter ones do."""

    list_display = ["starts", "span", "of", "by", "model", "kind", "status", "error_code", "requests", "cost"]
    related: ClassVar[Sequence[str]] = ["project", "api_key"]
    list_filter = [SpanFilter, StatusFilter, KindFilter]
    list_per_page = 50
    search_fields = ["=model"]
    search_help_text = "A whole project, public key id or model."
    ordering = ["-span", "-start", "-id"]
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Not joined: SQLite may begin with the few projects, and then sorts all rows to find the newest.
        return super().get_queryset(request).prefetch_related(*self.related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By one of them, never by all at once: no index has that."""
        text = search_term.strip()
        if not text:
            return queryset, False
        if project := Project.objects.filter(slug=text).first():
            return queryset.filter(project=project), False
        key = ApiKey.objects.filter(public_id=text).first() if queryset.model is Rollup else None
        if key:
            return queryset.filter(project=key.project_id, api_key=key), False
        return queryset.filter(model=text), False

    @admin.display(description="Starts")
    def starts(self, rollup: Rollup | ProjectRollup) -> SafeString:
        """The beginning of the span."""
        return moment(rollup.starts_at)

    @admin.display(description="Project")
    def of(self, rollup: Rollup | ProjectRollup) -> str:
        """Whose."""
        return str(rollup.project)

    @admin.display(description="API key")
    def by(self, rollup: Rollup) -> str:
        """Whose exactly."""
        return str(rollup.api_key)

    @admin.display(description="Cost")
    def cost(self, rollup: Rollup | ProjectRollup) -> str:
        """In US dollars."""
        return dollars(rollup.cost_microusd)


@admin.register(ProjectRollup)
class ProjectRollupAdmin(RollupAdmin):
    """The same of all keys of a project together."""

    list_display = ["starts", "span", "of", "model", "kind", "status", "error_code", "requests", "cost"]
    related = ["project"]
    list_filter = [FoldedSpanFilter, StatusFilter, KindFilter]
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
