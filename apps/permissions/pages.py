"""The admin's own pages about profiles: copy one, see what a form comes to, try a request."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from apps.audit.showing import deed
from apps.permissions import known, services
from apps.permissions.forms import RulesForm, TryForm
from apps.permissions.models import Profile
from apps.permissions.overview import overview
from apps.permissions.trial import trial


class ProfilePages(admin.ModelAdmin[Profile]):
    """Pages beside the list and the form."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("try/", wrap(self.try_view), name="permissions_profile_try"),
            path("preview/", wrap(require_POST(self.preview_view)), name="permissions_profile_preview"),
            path("<int:pk>/copy/", wrap(require_POST(self.copy_view)), name="permissions_profile_copy"),
            *super().get_urls(),
        ]

    def copy_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Copy one profile and open the copy."""
        if not (self.has_add_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        try:
            copy = services.copy_profile(profile=get_object_or_404(Profile, pk=pk), **deed(request))
        except ValidationError:  # somebody took the slug at the same moment
            self.message_user(request, "The copy's name was taken just now. Copy again.", messages.ERROR)
            return HttpResponseRedirect(reverse("admin:permissions_profile_change", args=[pk]))
        self.message_user(request, f"This is the copy, {copy.slug}. Keys can be given it right away.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:permissions_profile_change", args=[copy.pk]))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the rules in the form as typed would allow; a piece of page, nothing is written."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = RulesForm(request.POST)
        shown = overview(form.policy(), known.names()) if form.is_valid() else None
        faults = [f"{form[name].label}: {fault}" for name, faults in form.errors.items() for fault in faults]
        context = {"overview": shown, "faults": faults}
        return TemplateResponse(request, "permissions/overview.html", context, headers={"Cache-Control": "no-store"})

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Judge a request; all of it is in the address, so that a verdict can be sent to somebody."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = "model" in request.GET
        form = TryForm(request.GET) if asked else TryForm(initial={"profile": request.GET.get("profile")})
        found = None
        if asked and form.is_valid():
            found = trial(form.cleaned_data["profile"].policy(), form.ask())
        context = {
            **self.admin_site.each_context(request),
            "title": "Try a request",
            "opts": self.opts,
            "form": form,
            "trial": found,
            "media": self.media,
            "models": [name for names in known.names()["model"] for name in names],
        }
        return TemplateResponse(request, "permissions/try.html", context)
