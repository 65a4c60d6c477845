"""Sessions, approvals and webhooks in the admin: to look at, to decide, to send again."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.paging import BoundedPaginator
from apps.jobs import approvals, deliveries, sessions
from apps.jobs.approvals import Decision, NotWaiting
from apps.jobs.deliveries import NothingToDeliver
from apps.jobs.joblisting import KindFilter, ReadOnly
from apps.jobs.models import Approval, Delivery, Session
from apps.jobs.sessions import SessionBusy


class WaitingFilter(admin.SimpleListFilter):
    """Whether somebody can still decide."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("decided", "decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        match self.value():
            case "waiting":
                return queryset.filter(pk__in=Approval.objects.waiting(timezone.now()).values("pk"))
            case "decided":
                return queryset.exclude(decision="")
        return queryset


class _Looked(ReadOnly):
    """Deeds need the right to change a row."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]  # the admin beside this class
        name = self.opts.model_name  # type: ignore[attr-defined]
        return found if request.user.has_perm(f"jobs.change_{name}") else {}


@admin.register(Approval)
class ApprovalAdmin(_Looked, admin.ModelAdmin[Approval]):
    """What waits is first; what would run is shown exactly."""

    list_display = ["tool", "what", "job", "project", "asked_at", "expires_at", "decision", "decided_by"]
    list_select_related = ["job__project"]
    list_filter = [WaitingFilter, "decision"]
    search_fields = ["=job__id", "=job__project__slug"]
    search_help_text = "A whole job id or project."
    ordering = ["-id"]  # as they were asked, without sorting all of them
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = ["job", "project", "tool", "what", "asked_at", "expires_at", "decision", "decided_by", "decided_at"]
    actions = ["allow_once", "allow_for_job", "deny"]

    @admin.display(description="What would run")
    def what(self, row: Approval) -> SafeString:
        """The call's input."""
        return format_html("<code>{}</code>", json.dumps(row.input, ensure_ascii=False)[:2000])

    @admin.display(description="Project")
    def project(self, row: Approval) -> str:
        """Whose job it is."""
        return row.job.project.slug

    @admin.action(description="Allow once")
    def allow_once(self, request: HttpRequest, rows: QuerySet[Approval]) -> None:
        """These calls run."""
        self._decide(request, rows, "once")

    @admin.action(description="Allow for the rest of the job")
    def allow_for_job(self, request: HttpRequest, rows: QuerySet[Approval]) -> None:
        """These calls run, and the same tool is not asked about again in their jobs."""
        self._decide(request, rows, "job")

    @admin.action(description="Deny")
    def deny(self, request: HttpRequest, rows: QuerySet[Approval]) -> None:
        """These calls do not run."""
        self._decide(request, rows, "deny")

    def _decide(self, request: HttpRequest, rows: QuerySet[Approval], decision: Decision) -> None:
        actor, ip = f"user:{request.user.get_username()}", request.META.get("REMOTE_ADDR") or None
        decided = 0
        for row in rows.select_related("job__project"):
            try:
                now = timezone.now()
                approvals.decide(job=row.job, call_id=row.call_id, decision=decision, actor=actor, now=now, ip=ip)
                decided += 1
            except NotWaiting as late:
                self.message_user(request, f"{row}: {late}", messages.WARNING)
        self.message_user(request, f"{decided} decided.", messages.SUCCESS)


@admin.register(Delivery)
class DeliveryAdmin(_Looked, admin.ModelAdmin[Delivery]):
    """Webhooks that tell of the end of a task."""

    list_display = ["job", "url", "attempts", "delivered_at", "next_attempt_at", "error"]
    list_filter = [("delivered_at", admin.EmptyFieldListFilter)]
    search_fields = ["=job__id", "url"]
    ordering = ["-pk"]
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["send_again"]

    @admin.action(description="Send again")
    def send_again(self, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
        """From the start, delivered or not."""
        sent = 0
        for row in rows.select_related("job__project"):
            try:
                deliveries.redeliver(job=row.job, actor=f"user:{request.user.get_username()}", now=timezone.now())
                sent += 1
            except NothingToDeliver as nothing:
                self.message_user(request, str(nothing), messages.WARNING)
        self.message_user(request, f"{sent} will be sent within seconds.", messages.SUCCESS)


@admin.register(Session)
class SessionAdmin(_Looked, admin.ModelAdmin[Session]):
    """Conversations that can be continued; what was said in them is not shown."""

    list_display = ["id", "kind", "project", "last_job_id", "created_at", "last_used_at"]
    list_select_related = ["project"]
    list_filter = [KindFilter]
    search_fields = ["=id", "=project__slug", "=last_job_id"]
    search_help_text = "A whole session id, job id or project."
    ordering = ["-last_used_at"]
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["forget"]

    @admin.action(description="Forget selected sessions")
    def forget(self, request: HttpRequest, rows: QuerySet[Session]) -> None:
        """Their conversations are deleted; their jobs stay."""
        gone = 0
        for row in rows.select_related("project"):
            try:
                sessions.delete(session=row, actor=f"user:{request.user.get_username()}", now=timezone.now())
                gone += 1
            except SessionBusy as busy:
                self.message_user(request, str(busy), messages.WARNING)
        self.message_user(request, f"{gone} forgotten.", messages.SUCCESS)
