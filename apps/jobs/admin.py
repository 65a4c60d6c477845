"""Jobs in the admin: what happened and what it cost, without what was said. The only deed is to cancel."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html

from apps.audit import services as audit
from apps.audit.paging import BoundedPaginator
from apps.audit.showing import MOST_EXPORTED, csv_file, deed, link, moment
from apps.jobs import services
from apps.jobs.batchadmin import BatchAdmin, StoredFileAdmin
from apps.jobs.joblisting import (
    EXPORTED,
    ErrorFilter,
    KindFilter,
    ModelFilter,
    ReadOnly,
    SpanFilter,
    StatusFilter,
    search,
)
from apps.jobs.jobpage import facts
from apps.jobs.models import Job
from apps.jobs.reasons import explain
from apps.jobs.taskadmin import ApprovalAdmin, DeliveryAdmin, SessionAdmin
from apps.jobs.templatetags.jobs_admin import few, job_status
from apps.jobs.usageadmin import DriftAdmin, ProjectRollupAdmin, RollupAdmin
from apps.permissions.words import dollars

__all__ = [
    "ApprovalAdmin",
    "BatchAdmin",
    "DeliveryAdmin",
    "DriftAdmin",
    "JobAdmin",
    "ProjectRollupAdmin",
    "RollupAdmin",
    "SessionAdmin",
    "StoredFileAdmin",
]

MOST_CANCELLED = 1000
_WORDS = ["request", "result", "details", "stop_sequence"]
"""Columns with a customer's or a model's words in them."""


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin[Job]):
    """Newest first; narrowed by time, status, error, model and kind, and from anywhere by key and project."""

    change_form_template = "jobs/job.html"
    list_display = ["short", "state", "who", "what", "tokens", "cost", "submitted", "seconds"]
    list_filter = [SpanFilter, StatusFilter, ErrorFilter, ModelFilter, KindFilter]
    list_per_page = 50
    list_max_show_all = 0
    search_fields = ["=id"]
    search_help_text = "A whole id: of a job, an answer, a request, a key or a project."
    ordering = ["-id"]
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = ["id"]
    actions = ["cancel_selected", "export_selected"]

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        # Its page wants some of the words' columns; the list would read megabytes of them.
        jobs = super().get_queryset(request)
        # Not joined: SQLite may begin with the few projects, and then sorts all jobs to find the newest.
        return jobs.defer(*_WORDS, "grant", "route", "error_message").prefetch_related("project", "api_key")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """By whole ids, each through its index."""
        return (search(queryset, search_term) if search_term.strip() else queryset), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The whole of a job on one page."""
        job = Job.objects.select_related("project", "api_key").filter(pk=object_id).first()
        shown = facts(job, now=timezone.now()) if job and self.has_view_permission(request, job) else {}
        shown |= {"may_cancel": request.user.has_perm("jobs.change_job"), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, shown)

    # -- deeds

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Cancelling needs the right to change jobs, although nobody edits them."""
        return request.user.has_perm("jobs.change_job")

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """End those that have not ended."""
        count = 0
        for job in Job.objects.filter(pk__in=list(jobs.values_list("pk", flat=True)[:MOST_CANCELLED])).select_related(
            "project"
        ):
            with transaction.atomic():
                if services.cancel(job=job, now=timezone.now()):
                    count += 1
                    audit.record(
                        action="job.cancelled",
                        target_type="job",
                        target_id=job.pk,
                        project_id=job.project.slug,
                        **deed(request),
                    )
        self.message_user(request, f"{count} cancelled, the others had ended.", messages.SUCCESS)

    @admin.action(description=f"Export as CSV (at most {MOST_EXPORTED:,})", permissions=["view"])
    def export_selected(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse:
        """The newest of them: figures and names, without what was said."""
        rows = jobs.order_by("-pk").values_list(*EXPORTED)[:MOST_EXPORTED]
        return csv_file(request, name="jobs", titles=EXPORTED, rows=rows)

    # -- what the list shows

    @admin.display(description="Job")
    def short(self, job: Job) -> str:
        """The end of its id, which tells it from others; all of it for those who point at it."""
        return format_html('<code title="{}">…{}</code>', job.pk, job.pk[-8:])

    @admin.display(description="Status")
    def state(self, job: Job) -> str:
        """A mark and a word; what it failed with, and what that means for those who point at it."""
        if not job.error_code:
            return job_status(job)
        return format_html('{}<small title="{}">{}</small>', job_status(job), explain(job.error_code), job.error_code)

    @admin.display(description="Who")
    def who(self, job: Job) -> str:
        """The project and the key."""
        project = link(job.project, "keys_project", job.project_id)
        return format_html("{} › {}", project, link(job.api_key.name, "keys_apikey", job.api_key_id))

    @admin.display(description="What")
    def what(self, job: Job) -> str:
        """The model, and what it was asked for."""
        return format_html("{}<small>{}</small>", job.model, job.kind)

    @admin.display(description="Submitted (UTC)")
    def submitted(self, job: Job) -> str:
        """To the minute; the exact time for those who point at it."""
        return moment(job.created_at)

    @admin.display(description="Tokens")
    def tokens(self, job: Job) -> str:
        """Read and written."""
        read = job.input_tokens + job.cache_read_input_tokens + job.cache_creation_input_tokens
        exact = f"{read:,} in, {job.output_tokens:,} out"
        return format_html('<span title="{}">{} in, {} out</span>', exact, few(read), few(job.output_tokens))

    @admin.display(description="Cost")
    def cost(self, job: Job) -> str:
        """In US dollars."""
        return dollars(job.cost_microusd) + (" est." if job.estimated else "")

    @admin.display(description="Ran")
    def seconds(self, job: Job) -> str:
        """How long it ran."""
        if not job.started_at:
            return "–"
        return f"{((job.finished_at or timezone.now()) - job.started_at).total_seconds():.1f} s"
