"""Profiles in the admin: shipped tiers to read and copy, own ones to edit, and a request to try on any of them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.audit.showing import deed
from apps.permissions import known, services
from apps.permissions.forms import ProfileForm
from apps.permissions.models import Profile
from apps.permissions.overview import Overview, overview
from apps.permissions.pages import ProfilePages
from apps.permissions.refs import BadPattern, Kind
from apps.permissions.words import count, dollars, duration

FACTS = ["name", "slug", "description"]
LIMITS = ("max_cost_usd", "max_seconds", "max_turns", "max_concurrency")
EDITING: Any = [
    (None, {"fields": [*FACTS, "seen_version"]}),
    ("Tools", {"fields": [("tool_allow", "tool_deny", "tool_ask")]}),
    ("Agents", {"fields": [("agent_allow", "agent_deny")]}),
    ("Skills", {"fields": [("skill_allow", "skill_deny")]}),
    ("Models", {"fields": [("model_allow", "model_deny")]}),
    ("Limits", {"fields": list(LIMITS)}),
]
READING: Any = [
    (None, {"classes": ["reading"], "fields": [*FACTS, "updated"]}),
    ("Rules", {"classes": ["reading"], "fields": ["allow_rules", "deny_rules", "ask_rules"]}),
    ("Limits", {"classes": ["reading"], "fields": ["task", "open_jobs"]}),
]
SHOWN = 6
"""Rules of one kind that a list's cell shows before it counts the rest."""


class OriginFilter(admin.SimpleListFilter):
    """Whose a profile is."""

    title = "origin"
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("shipped", "Shipped"), ("own", "Own")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Profile]) -> QuerySet[Profile]:
        wanted = {"shipped": queryset.filter(built_in=True), "own": queryset.filter(built_in=False)}
        return wanted.get(self.value() or "", queryset)


@admin.register(Profile)
class ProfileAdmin(ProfilePages):
    """Every deed is a call of `services`."""

    form = ProfileForm
    list_display = ["title", "tools", "agents", "skills", "models", "task", "open_jobs", "keys", "updated"]
    list_filter = [OriginFilter]
    search_fields = ["slug", "name", "description"]
    ordering = ["max_cost_microusd", "slug"]
    actions = ["copy_selected"]
    change_form_template = "permissions/profile.html"

    class Media:
        css = {"all": ["permissions/profile.css"]}
        js = ["permissions/profile.js"]

    # -- what lists and pages show

    @admin.display(description="Profile", ordering="name")
    def title(self, profile: Profile) -> SafeString:
        """The name, and the slug that commands take."""
        return format_html("{} <code>{}</code>", profile.name, profile.slug)

    @admin.display(description="Tools")
    def tools(self, profile: Profile) -> SafeString:
        """The globs of the tools that are allowed; likewise below."""
        return _globs(profile, "tool")

    @admin.display(description="Agents")
    def agents(self, profile: Profile) -> SafeString:
        return _globs(profile, "agent")

    @admin.display(description="Skills")
    def skills(self, profile: Profile) -> SafeString:
        return _globs(profile, "skill")

    @admin.display(description="Models")
    def models(self, profile: Profile) -> SafeString:
        return _globs(profile, "model")

    @admin.display(description="A task", ordering="max_cost_microusd")
    def task(self, profile: Profile) -> SafeString:
        """The most that a task may take."""
        work = f"{duration(profile.max_seconds)}, {count(profile.max_turns, 'turn')}"
        return format_html("{} <small>{}</small>", dollars(profile.max_cost_microusd), work)

    @admin.display(description="Open jobs", ordering="max_concurrency")
    def open_jobs(self, profile: Profile) -> str:
        return f"{profile.max_concurrency:,}"

    @admin.display(description="Version", ordering="updated_at")
    def updated(self, profile: Profile) -> SafeString:
        """Whose it is and since when; the exact time is the title."""
        origin = "Shipped" if profile.built_in else "Own"
        exact, day = f"{profile.updated_at:%Y-%m-%d %H:%M:%S} UTC", f"{profile.updated_at:%d %b %Y}"
        return format_html('{} v{} <time title="{}">{}</time>', origin, profile.version, exact, day)

    @admin.display(description="Keys")
    def keys(self, profile: Profile) -> SafeString:
        href = f"{reverse('admin:keys_apikey_changelist')}?profile__id__exact={profile.pk}"
        return format_html('<a href="{}">Keys</a>', href)

    @admin.display(description="Allow")
    def allow_rules(self, profile: Profile) -> SafeString:
        return _rules(profile.allow)

    @admin.display(description="Deny")
    def deny_rules(self, profile: Profile) -> SafeString:
        return _rules(profile.deny)

    @admin.display(description="Ask first")
    def ask_rules(self, profile: Profile) -> SafeString:
        return _rules(profile.ask)

    # -- who may do what

    def has_change_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.built_in)

    def has_delete_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.built_in)

    def get_fieldsets(self, request: HttpRequest, obj: Profile | None = None) -> Any:
        return EDITING if obj is None or self.has_change_permission(request, obj) else READING

    def get_readonly_fields(self, request: HttpRequest, obj: Profile | None = None) -> list[str]:
        if obj is None:
            return []
        shown = ["updated", "allow_rules", "deny_rules", "ask_rules", "task", "open_jobs"]
        return ["slug"] if self.has_change_permission(request, obj) else shown

    def get_prepopulated_fields(self, request: HttpRequest, obj: Profile | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    # -- deeds

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        done: Any = {"rules": form.rules(), **deed(request)}
        saved = services.edit_profile(profile=obj, **done) if change else services.create_profile(slug=obj.slug, **done)
        obj.__dict__.update(saved.__dict__)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        try:
            panel = {"overview": self._overview(request, object_id)}
            return super().changeform_view(request, object_id, form_url, panel | (extra_context or {}))
        except services.EditedMeanwhile:  # between the form's check and the write
            self.message_user(request, "Somebody else has just saved this profile. Repeat your change.", messages.ERROR)
            return HttpResponseRedirect(request.path)

    def delete_model(self, request: HttpRequest, obj: Profile) -> None:
        services.delete_profile(profile=obj, **deed(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Profile]) -> None:
        for profile in queryset:
            services.delete_profile(profile=profile, **deed(request))

    @admin.action(description="Copy the selected profiles", permissions=["add"])
    def copy_selected(self, request: HttpRequest, queryset: QuerySet[Profile]) -> None:
        """Copies to edit, under free slugs."""
        copies = [services.copy_profile(profile=profile, **deed(request)) for profile in queryset]
        self.message_user(request, f"Copied as {', '.join(copy.slug for copy in copies)}.", messages.SUCCESS)

    def _overview(self, request: HttpRequest, object_id: str | None) -> Overview | None:
        profile = Profile.objects.filter(pk=object_id).first() if object_id and object_id.isdigit() else None
        try:
            return overview(profile.policy(), known.names()) if profile else None
        except BadPattern as fault:  # written past the services; the page must open, or nobody could mend it
            self.message_user(request, f"Its keys are refused everything, because {fault}.", messages.WARNING)
            return None


def _globs(profile: Profile, kind: Kind) -> SafeString:
    globs = [rule.partition(":")[2] for rule in profile.allow if rule.startswith(f"{kind}:")]
    denied = sum(rule.startswith(f"{kind}:") for rule in profile.deny)
    parts = ["all"] if "*" in globs else globs[:SHOWN] or ["none"]
    if len(globs) > SHOWN and "*" not in globs:
        parts.append(f"{len(globs) - SHOWN} more")
    if denied and globs:
        parts.append(f"but {denied} denied")
    return format_html_join(", ", "<span>{}</span>", ((part,) for part in parts))


def _rules(rules: list[str]) -> SafeString:
    return format_html_join(" ", "<code>{}</code>", ((rule,) for rule in rules)) or SafeString("none")
