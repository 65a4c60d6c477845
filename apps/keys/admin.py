"""Projects and keys in the admin: every deed is a call of `services`."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html

from apps.keys import services
from apps.keys.models import ApiKey, Project


def _actor(request: HttpRequest) -> str:
    user: AbstractBaseUser | AnonymousUser = request.user
    return f"user:{user.get_username()}"


class KeyForm(ModelForm[ApiKey]):
    """Adds what the database cannot say: an end lies ahead."""

    def clean_expires_at(self) -> datetime | None:
        end: datetime | None = self.cleaned_data["expires_at"]
        if end and "expires_at" in self.changed_data and end <= timezone.now():
            raise ValidationError("Choose a time that is still to come, or revoke the key.")
        return end


class StateFilter(admin.SimpleListFilter):
    """Whether a key works now."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("usable", "Usable"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        match self.value():
            case "usable":
                return queryset.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
            case "expired":
                return queryset.filter(revoked_at=None, expires_at__lte=now)
            case "revoked":
                return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    """Tenants. They are never deleted: bills and audit rows name them."""

    list_display = ["slug", "name", "key_count", "created_at"]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    fields = ["slug", "name", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).annotate(usable_keys=Count("keys", filter=Q(keys__revoked_at=None)))

    @admin.display(description="Keys", ordering="usable_keys")
    def key_count(self, project: Project) -> int:
        """Keys that are not revoked."""
        count: int = getattr(project, "usable_keys")  # noqa: B009  annotated above
        return count

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        return ["slug", "created_at"] if obj else ["created_at"]

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        services.save_project(project=obj, actor=_actor(request), now=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys: issue (the secret is shown once), edit, revoke. Never deleted: jobs and audit rows name them."""

    form = KeyForm
    list_display = ["name", "project", "hint", "state", "profile", "last_used_at", "expires_at", "created_at"]
    list_select_related = ["project", "profile"]
    list_filter = [StateFilter, "profile", ("project", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "public_id", "project__slug"]
    ordering = ["-created_at"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["project"]
    actions = ["revoke_selected"]

    @admin.display(description="Key")
    def hint(self, key: ApiKey) -> str:
        """The recognisable part of the key."""
        return format_html("<code>{}</code>", key.hint)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        """One word: Usable, Expired or Revoked."""
        if key.revoked_at:
            return "Revoked"
        return "Usable" if key.is_usable(now=timezone.now()) else "Expired"

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        facts = ["hint", "state", "created_at", "last_used_at", "revoked_at"] if obj else []
        return ["project", "name", "profile", "expires_at", *facts]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        if obj is None:
            return []
        return ["project", "hint", "state", "created_at", "last_used_at", "revoked_at"]

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        now, actor = timezone.now(), _actor(request)
        if change:
            services.change(
                key=obj, name=obj.name, profile=obj.profile, expires_at=obj.expires_at, actor=actor, now=now
            )
            return
        key, secret = services.issue(
            project=obj.project, name=obj.name, profile=obj.profile, expires_at=obj.expires_at, actor=actor, now=now
        )
        obj.__dict__.update(key.__dict__)
        setattr(request, "issued_secret", secret)  # noqa: B010  for response_add, in this request only

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The page with the secret, and not a redirect: it is in no session, cookie or history."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Key issued",
            "opts": self.opts,
            "key": obj,
            "secret": getattr(request, "issued_secret"),  # noqa: B009
        }
        return TemplateResponse(request, "keys/issued.html", context, headers={"Cache-Control": "no-store"})

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask once, then revoke for ever."""
        keys = list(queryset.filter(revoked_at=None).select_related("project", "profile"))
        if not keys:
            self.message_user(request, "These keys are revoked already.", messages.INFO)
            return None
        if "confirmed" in request.POST:
            count = sum(services.revoke(key=key, actor=_actor(request), now=timezone.now()) for key in keys)
            self.message_user(request, f"{count} key{'s' * (count != 1)} revoked.", messages.SUCCESS)
            return None
        context = {**self.admin_site.each_context(request), "title": "Revoke keys", "opts": self.opts, "keys": keys}
        return TemplateResponse(request, "keys/revoke.html", context)
