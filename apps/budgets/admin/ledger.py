"""The statement of account in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.showing import MOST_EXPORTED, csv_file, link, moment
from apps.budgets.admin.moments import TimeFilter
from apps.budgets.admin.records import Record
from apps.budgets.admin.showing import change, figures, job, owner
from apps.budgets.models import LedgerEntry
from apps.keys.models import Project

EXPORTED = (
    "created_at",
    "kind",
    "project",
    "api_key",
    "window_id",
    "job_id",
    "spent_microusd",
    "reserved_microusd",
    "spent_tokens",
    "reserved_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reason",
)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(Record[LedgerEntry]):
    """The statement: what changed, by how much, why."""

    list_display = ["at", "kind", "what", "account", "spent", "held"]
    list_select_related = ["project", "api_key", "window__budget"]
    list_filter = [TimeFilter, "kind"]
    search_fields = ["=job_id"]
    search_help_text = "A job's id or a project's slug."
    deep_lookups = ("window__budget__id__exact",)
    list_per_page = 50
    fields = ["created_at", "kind", "job_id", "what", "account", "spent", "held", "kinds", "reason"]
    actions = ["export_selected"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        """By job or by project, each with its index; one query for both would have none."""
        term = search_term.strip()
        if not term:
            return queryset, False
        project = Project.objects.filter(slug=term).first()
        return (queryset.filter(project=project) if project else queryset.filter(job_id=term)), False

    @admin.display(description="For")
    def what(self, entry: LedgerEntry) -> SafeString:
        """The job, or why there is none."""
        return job(entry.job_id) if entry.job_id else format_html("{}", entry.reason)

    @admin.display(description="At", ordering="created_at")
    def at(self, entry: LedgerEntry) -> SafeString:
        return moment(entry.created_at)

    @admin.display(description="Account")
    def account(self, entry: LedgerEntry) -> SafeString:
        """Whose it is; the budget and since when its window runs, or the job's bill."""
        whose = owner(entry.project, entry.api_key)
        if entry.window is None:
            return format_html("{}<br>Bill", whose)
        window = link(entry.window.budget, "budgets_budgetwindow", entry.window_id)
        return format_html("{}<br>{} from {}", whose, window, moment(entry.window.starts_at))

    @admin.display(description="Spent")
    def spent(self, entry: LedgerEntry) -> SafeString:
        return figures([change(entry.spent_microusd, "microusd"), change(entry.spent_tokens, "tokens")])

    @admin.display(description="Held")
    def held(self, entry: LedgerEntry) -> SafeString:
        return figures([change(entry.reserved_microusd, "microusd"), change(entry.reserved_tokens, "tokens")])

    @admin.display(description="Tokens by kind")
    def kinds(self, entry: LedgerEntry) -> str:
        return _kinds(entry)

    @admin.action(description=f"Export as CSV (at most {MOST_EXPORTED:,})", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> HttpResponse:
        """The newest of them, with exact integers."""
        rows = queryset.select_related("project", "api_key").order_by("-pk")[:MOST_EXPORTED]
        cells = ([getattr(row, name) for name in EXPORTED] for row in rows)
        return csv_file(request, name="ledger", titles=EXPORTED, rows=cells)


def _kinds(entry: LedgerEntry) -> str:
    return (
        f"{entry.input_tokens:,} input, {entry.output_tokens:,} output, {entry.cache_read_input_tokens:,} read from "
        f"and {entry.cache_creation_input_tokens:,} written to the cache"
    )
