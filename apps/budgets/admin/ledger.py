"""The statement of account in the admin."""

import csv
from collections.abc import Iterator

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.budgets.admin.records import Record
from apps.budgets.admin.showing import change, figures, job, link, moment, owner
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
    list_filter = ["kind"]
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

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> StreamingHttpResponse:
        """Exact integers. No cell begins with what a spreadsheet would run."""
        headers = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
        rows = queryset.select_related("project", "api_key").iterator(2000)
        return StreamingHttpResponse(_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)


def _kinds(entry: LedgerEntry) -> str:
    return (
        f"{entry.input_tokens:,} input, {entry.output_tokens:,} output, {entry.cache_read_input_tokens:,} read from "
        f"and {entry.cache_creation_input_tokens:,} written to the cache"
    )


class _Line:
    """What `csv` writes to, to give each line on as it comes."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: Iterator[LedgerEntry]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(EXPORTED)
    for row in rows:
        yield writer.writerow([safe_cell(getattr(row, name)) for name in EXPORTED])


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if not isinstance(value, int) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
