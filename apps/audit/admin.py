"""The record in the admin: a statement to read, search and export. Nothing here can be changed."""

import json
from datetime import UTC
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from apps.audit import exporting, listing, proof, services
from apps.audit.models import AuditCheckpoint, AuditEvent, AuditEventQuerySet, AuditHead
from apps.audit.paging import BoundedPaginator

MOST_EXPORTED = 20_000
_LONGEST_ID = 22


class ReadOnly(admin.ModelAdmin[Model]):
    """To look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    """Who did what, to what, when, from where, and how it ended."""

    list_display = ["time", "who", "action", "target", "outcome", "reason", "project", "address"]
    list_display_links = ["time"]
    list_filter = [
        listing.PeriodFilter,
        listing.OutcomeFilter,
        listing.ActionFilter,
        listing.ProjectFilter,
        listing.ActorFilter,
        listing.TargetFilter,
        listing.OlderFilter,
    ]
    list_per_page = 50
    list_max_show_all = 0
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ["-at"]
    sortable_by = ()
    search_fields = ["id"]
    search_help_text = "A whole id: of an event, a target (job, key, …), a request, a project or an actor."
    actions = ["export_csv", "export_jsonl"]
    fieldsets = [
        (None, {"fields": ["time", "actor_link", "action", "target_link", "outcome", "reason", "project"]}),
        ("From", {"fields": ["address", "request_id"]}),
        ("What", {"fields": ["changes", "facts"]}),
        ("Proof", {"fields": ["place", "proven", "id", "fingerprint"]}),
    ]

    class Media:
        css = {"all": ["audit/admin.css"]}

    @admin.display(description="Time (UTC)", ordering="at")
    def time(self, event: AuditEvent) -> str:
        """To the second; the exact one when pointed at."""
        at = event.at.astimezone(UTC)
        return format_html(
            '<time datetime="{}" title="{}">{}</time>', at.isoformat(), at.isoformat(" "), f"{at:%Y-%m-%d %H:%M:%S}"
        )

    @admin.display(description="Actor")
    def who(self, event: AuditEvent) -> str:
        """Leads to everything this actor did."""
        return _filtered(event.actor, actor=event.actor)

    @admin.display(description="Target")
    def target(self, event: AuditEvent) -> str:
        """Leads to everything that was done to it."""
        if not event.target_id:
            return event.target_type or "–"
        link = _filtered(_short(event.target_id), event.target_id, target_id=event.target_id)
        return (
            link
            if event.target_id.startswith(f"{event.target_type}_")
            else format_html("{} {}", event.target_type, link)
        )

    @admin.display(description="Project")
    def project(self, event: AuditEvent) -> str:
        """Leads to everything in this project."""
        return _filtered(event.project_id, project_id=event.project_id) if event.project_id else "–"

    @admin.display(description="IP address")
    def address(self, event: AuditEvent) -> str:
        """Where the request came from."""
        return event.ip or "–"

    @admin.display(description="Target")
    def target_link(self, event: AuditEvent) -> str:
        """The thing itself, and all its events."""
        events = self.target(event)
        return format_html("{} · {}", events, _thing(event.target_id, event.target_type)) if event.target_id else events

    @admin.display(description="Actor")
    def actor_link(self, event: AuditEvent) -> str:
        """Who it was: their page, and everything they did."""
        deeds = self.who(event)
        return (
            format_html("{} · {}", deeds, _thing(event.actor)) if event.actor.startswith(("key:", "user:")) else deeds
        )

    @admin.display(description="Changes")
    def changes(self, event: AuditEvent) -> str:
        """Each field that changed, before and after."""
        before, after = event.data.get("before"), event.data.get("after")
        if not isinstance(before, dict | None) or not isinstance(after, dict | None) or not (before or after):
            return "–"
        before, after = before or {}, after or {}
        names = [*before, *(name for name in after if name not in before)]
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td><del>{}</del></td><td><ins>{}</ins></td></tr>',
            ((name, _shown(before, name), _shown(after, name)) for name in names),
        )
        head = (
            '<table class="audit-changes"><thead><tr><th>Field</th><th>Before</th><th>After</th></tr></thead>{}</table>'
        )
        return format_html(head, rows)

    @admin.display(description="Data")
    def facts(self, event: AuditEvent) -> str:
        """Everything else that was noted."""
        facts = {name: value for name, value in event.data.items() if name not in ("before", "after")}
        return (
            format_html('<pre class="audit-data">{}</pre>', json.dumps(facts, indent=2, ensure_ascii=False))
            if facts
            else "–"
        )

    @admin.display(description="Place in the chain")
    def place(self, event: AuditEvent) -> str:
        """Its position."""
        return str(event.position) if event.position is not None else "Not sealed yet: a few seconds after the deed."

    @admin.display(description="Content")
    def proven(self, event: AuditEvent) -> str:
        """Whether the row is what was written. The whole chain is checked by `audit_verify`."""
        finding = proof.of(event)
        return (
            f"Broken: {finding.what}"
            if finding
            else "As it was written. `bin/manage audit_verify` proves the whole chain."
        )

    @admin.display(description="Seal")
    def fingerprint(self, event: AuditEvent) -> str:
        """What the next row is linked to."""
        return format_html("<code>{}</code>", bytes(event.seal).hex()) if event.seal else "–"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By whole ids, each through its index."""
        assert isinstance(queryset, AuditEventQuerySet)
        return (listing.search(queryset, search_term) if search_term.strip() else queryset), False

    @admin.action(description=f"Export as CSV (at most {MOST_EXPORTED:,})", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """For spreadsheets; no cell is a formula."""
        text = exporting.csv_text(_recorded(request, queryset, "csv"))
        return _download(text, "text/csv; charset=utf-8", "audit.csv")

    @admin.action(description=f"Export as JSON lines (at most {MOST_EXPORTED:,})", permissions=["view"])
    def export_jsonl(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """For programs."""
        lines = exporting.json_lines(_recorded(request, queryset, "jsonl"))
        return _download("".join(f"{line}\n" for line in lines), "application/jsonl", "audit.jsonl")


@admin.register(AuditHead)
class AuditHeadAdmin(ReadOnly):
    """How far the chain goes."""

    list_display = ["position", "at", "fingerprint"]
    fields = ["position", "at", "fingerprint", "key_id"]

    @admin.display(description="Seal")
    def fingerprint(self, head: AuditHead) -> str:
        """The seal of the last row."""
        return format_html("<code>{}</code>", bytes(head.seal).hex())


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(ReadOnly):
    """What retention deleted, on purpose."""

    list_display = ["position", "before", "at"]
    fields = ["position", "before", "at", "key_id"]
    ordering = ["-position"]


def _filtered(text: str, title: str = "", **filters: str) -> str:
    url = f"{reverse('admin:audit_auditevent_changelist')}?{urlencode(filters)}"
    return format_html('<a href="{}" title="{}">{}</a>', url, title, text)


def _thing(name: str, kind: str = "") -> str:
    """A link to the page of what has this id or name."""
    query = urlencode({"q": name, **({"kind": kind} if kind else {})})
    return format_html('<a href="{}?{}">open</a>', reverse("admin:find"), query)


def _short(text: str) -> str:
    """Both ends of a long id: one tells the time, the other one id from another."""
    return text if len(text) <= _LONGEST_ID else f"{text[:12]}…{text[-6:]}"


def _shown(facts: dict[str, Any], name: str) -> str:
    if name not in facts:
        return ""
    value = facts[name]
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _recorded(request: HttpRequest, queryset: QuerySet[Any], form: str) -> AuditEventQuerySet:
    """The newest of the rows to export, the export itself being on record first."""
    assert isinstance(queryset, AuditEventQuerySet)
    chosen = queryset.order_by("-at")[:MOST_EXPORTED]
    with transaction.atomic():
        services.record(
            actor=f"user:{request.user.get_username()}",
            action="audit.exported",
            target_type="audit",
            ip=request.META.get("REMOTE_ADDR"),
            data={
                "form": form,
                "filters": request.GET.urlencode(),
                "selected": len(request.POST.getlist("_selected_action")),
            },
            now=timezone.now(),
        )
    return chosen


def _download(text: str, media_type: str, name: str) -> HttpResponse:
    return HttpResponse(
        text,
        content_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
