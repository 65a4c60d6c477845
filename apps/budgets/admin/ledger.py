"""The statement of account in the admin."""

import csv
from collections.abc import Iterator

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.budgets.admin.records import Record
from apps.budgets.admin.showing import change, figures, link
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

    list_display = ["created_at", "kind", "what", "project", "api_key", "account", "spent", "held", "tokens"]
    list_select_related = ["project", "api_key", "window__budget"]
    list_filter = ["kind"]
    search_fields = ["=job_id"]
    search_help_text = "A job's id or a project's slug."
    deep_lookups = ("window__budget__id__exact",)
    list_per_page = 50
    fields = [
        "created_at",
        "kind",
        "what",
        "project",
        "api_key",
        "account",
        "spent",
        "held",
        "tokens",
        "kinds",
        "reason",
    ]
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
        return link(entry.job_id, "jobs_job", entry.job_id) if entry.job_id else format_html("{}", entry.reason)

    @admin.display(description="Account")
    def account(self, entry: LedgerEntry) -> SafeString:
        """The window, or the job's bill."""
        if entry.window is None:
            return SafeString("Bill")
        return link(entry.window, "budgets_budgetwindow", entry.window_id)

    @admin.display(description="Spent")
    def spent(self, entry: LedgerEntry) -> SafeString:
        return figures([change(entry.spent_microusd, "microusd")])

    @admin.display(description="Held")
    def held(self, entry: LedgerEntry) -> SafeString:
        return figures([change(entry.reserved_microusd, "microusd")])

    @admin.display(description="Tokens")
    def tokens(self, entry: LedgerEntry) -> SafeString:
        """Spent and held; the four kinds are the title."""
        return format_html(
            '<div class="figure" title="{}">{} / {}</div>',
            _kinds(entry),
            change(entry.spent_tokens, "tokens"),
            change(entry.reserved_tokens, "tokens"),
        )

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
