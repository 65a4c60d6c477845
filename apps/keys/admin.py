"""Projects, their members and keys in the admin: every deed is a call of the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.audit.paging import BoundedPaginator
from apps.audit.showing import deed, link, links, moment
from apps.keys import expiry, members, rotation, services
from apps.keys.forms import KeyForm, MemberFormSet, RotateForm
from apps.keys.listing import StateFilter, UseFilter
from apps.keys.models import ApiKey, Membership, Project, Role

TERMS = ["project", "name", "profile", "default_model", "expires_at"]
LIMITS = ["requests_per_minute", "tokens_per_minute", "concurrent_jobs", "allowed_networks"]
FACTS = ["hint", "state", "created_at", "last_used_at", "revoked_at", "rotated_from", "successor", "warned"]
DEEDS = [("rotate_selected", "Rotate"), ("revoke_selected", "Revoke")]


class MemberInline(admin.TabularInline[Membership, Project]):
    """Who works in the project."""

    model = Membership
    formset = MemberFormSet
    fields = ["user", "role", "created_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["user"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "project").order_by("created_at")


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    """Tenants. They are never deleted: bills and audit rows name them."""

    list_display = ["slug", "name", "key_count", "since", "more"]
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    paginator = BoundedPaginator
    show_full_result_count = False
    inlines = [MemberInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        # Counted for the rows that are shown; a join would group all keys of all projects first.
        keys = ApiKey.objects.filter(project=OuterRef("pk"), revoked_at=None).order_by().values("project")
        count = Subquery(keys.annotate(count=Count("pk")).values("count"))
        return super().get_queryset(request).annotate(usable_keys=count)

    @admin.display(description="Keys", empty_value="0")
    def key_count(self, project: Project) -> int | None:
        """Keys that are not revoked."""
        count: int | None = getattr(project, "usable_keys")  # noqa: B009  annotated above
        return count

    @admin.display(description="Since", ordering="created_at")
    def since(self, project: Project) -> SafeString:
        """When it was made."""
        return moment(project.created_at)

    @admin.display(description="More")
    def more(self, project: Project) -> SafeString:
        """Its keys, jobs, money and record."""
        return links(
            ("Keys", "keys_apikey", {"q": project.slug}),
            ("Jobs", "jobs_job", {"project__id__exact": project.pk}),
            ("Budgets", "budgets_budget", {"q": project.slug}),
            ("Ledger", "budgets_ledgerentry", {"project__id__exact": project.pk}),
            ("Audit", "audit_auditevent", {"project_id": project.slug}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        return ["slug", "created_at", "more"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        return ["slug", "name", "webhook_url", "emails", *(["created_at", "more"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        services.save_project(project=obj, **deed(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Owners first and removals last, so that a project can change hands in one go."""
        formset.save(commit=False)
        project: Project = form.instance
        changed = [row for row, _ in formset.changed_objects]
        for row in sorted([*formset.new_objects, *changed], key=lambda row: row.role != Role.OWNER):
            if row in changed:
                members.change(membership=row, role=Role(row.role), **deed(request))
            else:
                members.add(project=project, user=row.user, role=Role(row.role), **deed(request))
        for row in formset.deleted_objects:
            members.remove(membership=row, **deed(request))

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys: issue and rotate (the secret is shown once), edit, revoke. Never deleted: jobs and audit rows name them."""

    form = KeyForm
    change_form_template = "keys/key.html"
    list_display = ["name", "whose", "hint", "state", "profile", "limits", "used", "ends", "more"]
    list_select_related = ["project", "profile"]
    list_filter = [StateFilter, UseFilter, "profile"]
    list_per_page = 50
    search_fields = ["name", "public_id", "project__slug"]
    search_help_text = "Part of a name, a key's public id or a project."
    ordering = ["-created_at"]
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    autocomplete_fields = ["project"]
    actions = ["rotate_selected", "revoke_selected"]

    @admin.display(description="Key")
    def hint(self, key: ApiKey) -> str:
        """The recognisable part of the key."""
        return format_html("<code>{}</code>", key.hint)

    @admin.display(description="Project", ordering="project__slug")
    def whose(self, key: ApiKey) -> SafeString:
        """Leads to the project."""
        return link(key.project, "keys_project", key.project_id)

    @admin.display(description="Last used", ordering="last_used_at")
    def used(self, key: ApiKey) -> SafeString:
        """Exact to a minute."""
        return moment(key.last_used_at)

    @admin.display(description="Expires", ordering="expires_at")
    def ends(self, key: ApiKey) -> SafeString:
        """A dash for never."""
        return moment(key.expires_at)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        """One word: Usable, Expiring, Expired or Revoked."""
        now = timezone.now()
        if key.revoked_at:
            return "Revoked"
        if not key.is_usable(now=now):
            return "Expired"
        return "Expiring" if key.expires_at and key.expires_at <= now + expiry.SOON else "Usable"

    @admin.display(description="Limits")
    def limits(self, key: ApiKey) -> str:
        """Those that the key has of its own."""
        amounts = [
            (key.requests_per_minute, "requests/min"),
            (key.tokens_per_minute, "tokens/min"),
            (key.concurrent_jobs, "at a time"),
        ]
        parts = [f"{amount:,} {unit}" for amount, unit in amounts if amount]
        return ", ".join(parts + ["some networks"] * bool(key.allowed_networks)) or "–"

    @admin.display(description="More")
    def more(self, key: ApiKey) -> SafeString:
        """Its jobs, money and record: what it did, and what was done to it."""
        return links(
            ("Jobs", "jobs_job", {"api_key__id__exact": key.pk}),
            ("Ledger", "budgets_ledgerentry", {"api_key__id__exact": key.pk}),
            ("Deeds", "audit_auditevent", {"actor": f"key:{key.public_id}"}),
            ("Audit", "audit_auditevent", {"target_id": key.public_id}),
        )

    @admin.display(description="Rotated to", empty_value="–")
    def successor(self, key: ApiKey) -> SafeString | None:
        """The key that replaces it."""
        new = ApiKey.objects.filter(rotated_from=key).first()
        if new is None:
            return None
        return format_html('<a href="{}">{}</a>', reverse("admin:keys_apikey_change", args=[new.pk]), new)

    @admin.display(description="Warnings of its end", empty_value="–")
    def warned(self, key: ApiKey) -> SafeString | None:
        """Who was told when, and whether that got through."""
        told = key.warnings.order_by("-created_at", "pk")[:20]
        lines = ((f"{each.days} d before", each, each.state, f": {each.error}" * bool(each.error)) for each in told)
        return format_html_join(mark_safe("<br>"), "{} by {}, {}{}", lines) or None

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        return super().change_view(request, object_id, form_url, {"deeds": DEEDS, **(extra_context or {})})

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        groups: list[tuple[str | None, Any]] = [(None, {"fields": TERMS}), ("Limits", {"fields": LIMITS})]
        return [*groups, ("Facts", {"fields": FACTS})] if obj else groups

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["project", *FACTS] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        terms = form.terms()
        if change:
            services.change(key=obj, terms=terms, **deed(request))
            return
        key, secret = services.issue_on(project=obj.project, terms=terms, **deed(request))
        obj.__dict__.update(key.__dict__)
        setattr(request, "issued_secret", secret)  # noqa: B010  for response_add, in this request only

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        secret: str = getattr(request, "issued_secret")  # noqa: B009
        return self._secrets(request, "Key issued", [(obj, secret)])

    def _secrets(self, request: HttpRequest, title: str, issued: list[tuple[ApiKey, str]]) -> HttpResponse:
        """The page with the secrets, and not a redirect: they are in no session, cookie or history."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "issued": issued}
        return TemplateResponse(request, "keys/issued.html", context, headers={"Cache-Control": "no-store"})

    @admin.action(description="Rotate the selected keys", permissions=["change"])
    def rotate_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask how long the old keys work on, then show the new ones, once."""
        keys = list(queryset.select_related("project", "profile"))
        form = RotateForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            context = {"title": "Rotate keys", "opts": self.opts, "keys": keys, "form": form}
            return TemplateResponse(request, "keys/rotate.html", {**self.admin_site.each_context(request), **context})
        issued = []
        for key in keys:
            try:
                issued.append(rotation.rotate(key=key, overlap=form.cleaned_data["overlap"], **deed(request)))
            except rotation.NotRotatable as refusal:
                self.message_user(request, str(refusal), messages.WARNING)
        return self._secrets(request, "Keys rotated", issued) if issued else None

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask once, then revoke for ever."""
        keys = list(queryset.filter(revoked_at=None).select_related("project", "profile"))
        if not keys:
            self.message_user(request, "These keys are revoked already.", messages.INFO)
            return None
        if "confirmed" in request.POST:
            count = sum(services.revoke(key=key, **deed(request)) for key in keys)
            self.message_user(request, f"{count} key{'s' * (count != 1)} revoked.", messages.SUCCESS)
            return None
        context = {**self.admin_site.each_context(request), "title": "Revoke keys", "opts": self.opts, "keys": keys}
        return TemplateResponse(request, "keys/revoke.html", context)
