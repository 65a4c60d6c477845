"""Users and groups in the admin: Django's pages, with every change on record and no way up for who is no superuser."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangosGroups
from django.contrib.auth.admin import UserAdmin as DjangosUsers
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from apps.audit import services as audit
from apps.audit.changes import diff
from apps.audit.paging import BoundedPaginator
from apps.audit.showing import deed, links
from apps.keys.models import Membership
from apps.people import secondfactor
from apps.people.models import SecondFactor
from apps.people.records import of_user

POWERS = ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]
"""What only a superuser gives: anybody else could make themselves one with them."""

for model in (User, Group):
    admin.site.unregister(model)


class _OnRecord(admin.ModelAdmin[Any]):
    """Writes down what a page changes, with before and after."""

    noun: str
    facts_of: Any

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        form.before = self.facts_of(type(obj)._default_manager.get(pk=obj.pk)) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if changes := diff(form.before, self.facts_of(form.instance)):
            self._record(request, "changed" if change else "created", form.instance, changes)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self._record(request, "deleted", obj, {"before": self.facts_of(obj)})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset:
                self.delete_model(request, obj)

    def _record(self, request: HttpRequest, done: str, obj: Model, data: Any) -> None:
        audit.record(
            action=f"{self.noun}.{done}", target_type=self.noun, target_id=str(obj), data=data, **deed(request)
        )


def _of_user(user: User) -> dict[str, Any]:
    """What the record shows of an account."""
    plain = {name: getattr(user, name) for name in ("username", "email", "is_active", "is_staff", "is_superuser")}
    return plain | {"groups": _names(user.groups, "name"), "permissions": _names(user.user_permissions, "codename")}


def _of_group(group: Group) -> dict[str, Any]:
    """What the record shows of a group."""
    return {"name": group.name, "permissions": _names(group.permissions, "codename")}


def _names(related: Any, field: str) -> list[str]:
    return sorted(related.values_list(field, flat=True))


class MembershipInline(admin.TabularInline[Membership, User]):
    """The projects a person works in; they are changed on the project's page."""

    model = Membership
    fields = ["project", "role", "created_at"]
    readonly_fields = ["project", "role", "created_at"]
    extra = 0
    can_delete = False
    verbose_name_plural = "projects"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("project", "user").order_by("project__slug")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(_OnRecord, DjangosUsers):  # type: ignore[type-arg]  # takes none at run time
    """Who can log in, and how far they get."""

    noun = "user"
    facts_of = staticmethod(_of_user)
    list_display = ["username", "email", "powers", "is_active", "second_factor", "last_login", "more"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    inlines = [MembershipInline]
    actions = ["remove_second_factor"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        devices = SecondFactor.objects.filter(user=OuterRef("pk"), confirmed=True)
        users: QuerySet[User] = super().get_queryset(request).annotate(has_second_factor=Exists(devices))
        return users

    @admin.display(description="Powers")
    def powers(self, user: User) -> str:
        """In one word."""
        return "Superuser" if user.is_superuser else "Staff" if user.is_staff else "–"

    @admin.display(description="Second factor", boolean=True)
    def second_factor(self, user: User) -> bool:
        """Whether a login asks for it."""
        return bool(getattr(user, "has_second_factor", False))

    @admin.display(description="More")
    def more(self, user: User) -> SafeString:
        """What they did, and what was done to their account."""
        name = user.get_username()
        return links(
            ("Deeds", "audit_auditevent", {"actor": f"user:{name}"}),
            ("Account", "audit_auditevent", {"target_id": name}),
        )

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return [MembershipInline] if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        return ["last_login", "date_joined", *([] if _is_superuser(request) else POWERS)]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        super().delete_queryset(request, queryset if _is_superuser(request) else queryset.filter(is_superuser=False))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        with transaction.atomic():
            user = self.get_object(request, id)
            before = user.password if user else ""
            answer: HttpResponse = super().user_change_password(request, id, form_url)
            after = User.objects.filter(pk=user.pk).values_list("password", flat=True).first() if user else ""
            if user and after != before:
                of_user("user.password_changed", user.get_username(), {}, **deed(request))
        return answer

    @admin.action(description="Remove the second factor (the device is lost)", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """They log in with the password alone, until they enrol again."""
        users = [user for user in queryset if _may_touch(request, user)]
        count = sum(secondfactor.turn_off(user=user, **deed(request)) for user in users)
        self.message_user(request, f"{count} removed; the others had none.", messages.SUCCESS)


@admin.register(Group)
class GroupAdmin(_OnRecord, DjangosGroups):
    """Permissions that go together. Only superusers change them."""

    noun = "group"
    facts_of = staticmethod(_of_group)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Superusers are changed by superusers only."""
    return user is None or not user.is_superuser or _is_superuser(request)
