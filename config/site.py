"""The admin's frame: its name, its doors, the order of its lists. Each app brings its own pages."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone

# The rail, from who may ask to what was done; what is not named here comes last.
GROUPS = {
    "Access": ["Project", "ApiKey", "Profile", "Capability"],
    "Work": ["Job", "Batch", "StoredFile", "Session", "Approval", "Delivery", "RoutingVersion"],
    "Money": ["Budget", "BudgetWindow", "Hold", "LedgerEntry", "Alert", "Rollup", "Drift"],
    "Record": ["AuditEvent", "AuditHead", "AuditCheckpoint"],
    "People": ["User", "Group"],
}


class Site(AdminSite):
    """One admin for everything an operator governs."""

    site_title = site_header = "Claude Code API Service"
    index_title = "Overview"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff; with a second factor, where the operator requires one."""
        if not super().has_permission(request):
            return False
        from apps.people.pending import has_given

        return not settings.REQUIRE_SECOND_FACTOR or has_given(request)

    def login(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The same page as everybody's; it lets staff pass only."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        # Not at the top: the admin's frame is loaded before the models are.
        from apps.people.forms import StaffSignInForm
        from apps.people.views import SignIn

        view = SignIn.as_view(
            authentication_form=StaffSignInForm,
            redirect_authenticated_user=False,
            next_page="admin:index",
            extra_context={"to_admin": True},
        )
        return view(request)

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The same as everybody's."""
        from apps.people.views import SignOut

        return SignOut.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The same as everybody's."""
        return HttpResponseRedirect(reverse("change-password"))

    def get_urls(self) -> list[Any]:
        """Django's, and the way from an id to its page."""
        return [path("find/", self.admin_view(self.find), name="find"), *super().get_urls()]

    def find(self, request: HttpRequest) -> HttpResponseRedirect:
        """To the page of what `q` names, or to every deed that names it. `kind` says what it is, if that is known."""
        from config.finding import place_of

        text = request.GET.get("q", "").strip()
        place = place_of(text, request.GET.get("kind", "")) if text else reverse("admin:index")
        return HttpResponseRedirect(place or f"{reverse('admin:audit_auditevent_changelist')}?{urlencode({'q': text})}")

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """What needs a look, before the lists."""
        from config.overview import shown

        facts = shown(request, now=timezone.now())
        return super().index(request, {"overview": facts, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By what people come for, and not by where the code is."""
        found = super().get_app_list(request, app_label)
        if app_label is not None:
            return found
        models = {model["object_name"]: (app, model) for app in found for model in app["models"]}
        groups = []
        for title, names in GROUPS.items():
            listed = [models.pop(name) for name in names if name in models]
            if listed:
                app = listed[0][0]
                groups.append(
                    app | {"name": title, "app_label": title.lower(), "models": [model for _, model in listed]}
                )
        left = [app | {"models": [m for m in app["models"] if m["object_name"] in models]} for app in found]
        return [*groups, *(app for app in left if app["models"])]
