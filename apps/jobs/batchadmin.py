"""Batches and files in the admin: how far they are and what they cost, without what is in them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit import services as audit
from apps.audit.paging import BoundedPaginator
from apps.audit.showing import deed, link, links, moment
from apps.jobs.batches import services as batches
from apps.jobs.batches.models import Batch, StoredFile
from apps.jobs.joblisting import ReadOnly
from apps.keys.models import Project
from apps.permissions.words import dollars

MOST_CANCELLED = 100


class _Listed(ReadOnly, admin.ModelAdmin[Any]):
    """Newest first, never counted to the end."""

    list_per_page = 50
    ordering = ["-pk"]
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["=id"]
    search_help_text = "A whole id, or a project."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By id or by project, each through its index."""
        text = search_term.strip()
        if not text:
            return queryset, False
        project = Project.objects.filter(slug=text).first()
        return (queryset.filter(project=project) if project else queryset.filter(pk=text)), False

    @admin.display(description="Project")
    def whose(self, row: Any) -> SafeString:
        """Leads to the project."""
        return link(row.project, "keys_project", row.project_id)

    @admin.display(description="Made")
    def made(self, row: Any) -> SafeString:
        """To the minute."""
        return moment(row.created_at)


@admin.register(Batch)
class BatchAdmin(_Listed):
    """Many requests under one id."""

    list_display = ["id", "status", "whose", "key", "items", "cost", "made", "ended", "more"]
    list_select_related = ["project", "api_key"]
    list_filter = ["status"]
    fields = [
        *("id", "status", "whose", "key", "endpoint", "completion_window", "items", "waits", "cost", "more"),
        *("made", "started_at", "cancelling_at", "ended", "expires_at", "request_id"),
        *("input_file_id", "output_file_id", "error_file_id"),
    ]
    actions = ["cancel_selected"]

    @admin.display(description="Key")
    def key(self, batch: Batch) -> SafeString:
        """Who asked."""
        return link(batch.api_key.name, "keys_apikey", batch.api_key_id)

    @admin.display(description="Items")
    def items(self, batch: Batch) -> str:
        """How many, and how they ended; counted when all have."""
        ended = f": {batch.completed:,} answered, {batch.failed:,} not" if batch.finished_at else ""
        return f"{batch.total:,}{ended}"

    @admin.display(description="Waits for")
    def waits(self, batch: Batch) -> str:
        """What it needs before it asks more, in words."""
        return str(batch.waits_for["message"]) if batch.waits_for else "–"

    @admin.display(description="Cost")
    def cost(self, batch: Batch) -> str:
        """Of all its jobs; counted when all have ended."""
        return dollars(batch.cost_microusd) if batch.finished_at else "–"

    @admin.display(description="Ended")
    def ended(self, batch: Batch) -> SafeString:
        """To the minute."""
        return moment(batch.finished_at)

    @admin.display(description="More")
    def more(self, batch: Batch) -> SafeString:
        """Its jobs, money and record."""
        return links(
            ("Jobs", "jobs_job", {"batch_id__exact": batch.pk}),
            ("Ledger", "budgets_ledgerentry", {"q": batch.pk}),
            ("Audit", "audit_auditevent", {"target_id": batch.pk}),
        )

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Cancelling needs the right to change batches, although nobody edits them."""
        return request.user.has_perm("jobs.change_batch")

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        """Ask no more of them, and end what runs."""
        count = 0
        for batch in queryset.select_related("project", "api_key")[:MOST_CANCELLED]:
            if batches.cancel(batch=batch, now=timezone.now()):
                count += 1
                audit.record(
                    action="batch.cancel_requested",
                    target_type="batch",
                    target_id=batch.pk,
                    project_id=batch.project.slug,
                    **deed(request),
                )
        self.message_user(request, f"{count} cancelled, the others were ending already.", messages.SUCCESS)


@admin.register(StoredFile)
class StoredFileAdmin(_Listed):
    """Files of projects; what is in them is not shown."""

    list_display = ["id", "whose", "filename", "purpose", "size", "made"]
    list_select_related = ["project"]
    fields = ["id", "whose", "filename", "purpose", "size", "made"]

    @admin.display(description="Size")
    def size(self, file: StoredFile) -> str:
        """In a unit that reads well; exact for those who point at it."""
        return format_html('<span title="{} bytes">{}</span>', f"{file.size_bytes:,}", filesizeformat(file.size_bytes))
