"""Usage in the admin: the rows that it is read from, and where cost figures parted. Nothing can be done to them."""

from django.contrib import admin
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import moment
from apps.jobs.models import Drift, Rollup
from apps.permissions.words import dollars


class _ReadOnly:
    """Rows that only the services write."""

    def has_add_permission(self, *_: object) -> bool:
        return False

    def has_change_permission(self, *_: object) -> bool:
        return False

    def has_delete_permission(self, *_: object) -> bool:
        return False


@admin.register(Rollup)
class RollupAdmin(_ReadOnly, admin.ModelAdmin[Rollup]):
    """Newest first. Each span holds all that the shorter ones do."""

    list_display = ["starts", "span", "project", "api_key", "model", "kind", "status", "error_code", "requests", "cost"]
    list_select_related = ["project", "api_key"]
    list_filter = ["span", "status", "kind"]
    list_per_page = 50
    search_fields = ["=project__slug", "=api_key__public_id", "=model", "=job_id"]
    search_help_text = "A whole project, public key id, model or, of what is not folded yet, job id."
    ordering = ["-start", "-span", "-id"]
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False

    @admin.display(description="Starts")
    def starts(self, rollup: Rollup) -> SafeString:
        """The beginning of the span."""
        return moment(rollup.starts_at)

    @admin.display(description="Cost")
    def cost(self, rollup: Rollup) -> str:
        """In US dollars."""
        return dollars(rollup.cost_microusd)


@admin.register(Drift)
class DriftAdmin(_ReadOnly, admin.ModelAdmin[Drift]):
    """Newest first: what was metered, and the figure that differed."""

    list_display = ["day", "model", "measure", "metered", "other"]
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
