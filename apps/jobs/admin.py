"""Jobs in the admin: what happened and what it cost, without what was said. The only deed is to cancel."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.paging import BoundedPaginator
from apps.jobs import services
from apps.jobs.models import Call, Job

_WORDS = ["request", "result", "details", "stop_sequence"]
"""Columns with a customer's or a model's words in them."""


class _ReadOnly:
    """Rows that only the services write."""

    def has_add_permission(self, *_: object) -> bool:
        return False

    def has_change_permission(self, *_: object) -> bool:
        return False

    def has_delete_permission(self, *_: object) -> bool:
        return False


class CallInline(_ReadOnly, admin.TabularInline[Call, Job]):
    """The calls that the job's bill is the sum of."""

    model = Call
    fields = [
        "model",
        "status",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_5m_input_tokens",
        "cache_creation_1h_input_tokens",
        "cost",
        "priced",
        "estimated",
        "price_version",
        "duration_seconds",
    ]
    readonly_fields = ["cost"]
    ordering = ["started_at"]
    extra = 0

    @admin.display(description="Cost")
    def cost(self, call: Call) -> str:
        """In US dollars."""
        return _usd(call.cost_microusd)


@admin.register(Job)
class JobAdmin(_ReadOnly, admin.ModelAdmin[Job]):
    """Newest first; narrowed by status, model, project and day."""

    list_display = ["id", "status", "error_code", "project", "model", "tokens", "cost", "created_at", "seconds"]
    list_select_related = ["project"]
    list_filter = ["status", "error_code", "model", "lane", "created_at", ("project", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["=id", "=request_id", "=project__slug"]
    search_help_text = "A whole job id, request id or project."
    ordering = ["-id"]
    paginator = BoundedPaginator
    show_full_result_count = False
    exclude = _WORDS
    inlines = [CallInline]
    actions = ["cancel_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer(*_WORDS)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Cancelling needs the right to change jobs, although nobody edits them."""
        return super().get_actions(request) if request.user.has_perm("jobs.change_job") else {}

    @admin.action(description="Cancel selected jobs")
    def cancel_selected(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """End those that have not ended."""
        count = sum(services.cancel(job=job, now=timezone.now()) for job in jobs.select_related("project"))
        self.message_user(request, f"{count} cancelled, the others had ended.", messages.SUCCESS)

    @admin.display(description="Tokens")
    def tokens(self, job: Job) -> str:
        """Read and written."""
        read = job.input_tokens + job.cache_read_input_tokens + job.cache_creation_input_tokens
        return f"{read:,} in, {job.output_tokens:,} out"

    @admin.display(description="Cost", ordering="cost_microusd")
    def cost(self, job: Job) -> str:
        """In US dollars."""
        return _usd(job.cost_microusd) + (" (estimated)" if job.estimated else "")

    @admin.display(description="Seconds")
    def seconds(self, job: Job) -> str:
        """How long it ran."""
        if not job.started_at:
            return "–"
        return f"{((job.finished_at or timezone.now()) - job.started_at).total_seconds():.1f}"


def _usd(microusd: int) -> str:
    return f"${microusd / 1_000_000:,.6f}"
