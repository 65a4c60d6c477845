"""Logging in and out, and looking after one's account: for the dashboard and the admin alike."""

from datetime import timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.audit.showing import deed
from apps.people import pending, secondfactor
from apps.people.forms import CodeForm, SignInForm
from apps.people.records import address, of_user


def page(request: HttpRequest, name: str, facts: dict[str, Any], *, status: int = 200, **headers: str) -> HttpResponse:
    """A page that no cache and no history keeps."""
    kept = {"Cache-Control": "no-store"} | headers
    return TemplateResponse(request, f"people/{name}.html", facts, status=status, headers=kept).render()


class SignIn(LoginView):
    """Name and password; then in, or on to the second factor."""

    template_name = "people/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        user, to = form.get_user(), self.get_success_url()
        if secondfactor.is_on(user):
            pending.begin(self.request, user=user, to=to, now=timezone.now())
            return redirect("second-factor")
        if settings.REQUIRE_SECOND_FACTOR and user.is_staff:
            pending.begin(self.request, user=user, to=to, now=timezone.now())
            return redirect("enrol")
        login(self.request, user)
        return HttpResponseRedirect(to)


class SignOut(LogoutView):
    """By a form only, so that no other page can do it."""

    template_name = "people/signed_out.html"


class ChangePassword(PasswordChangeView):
    """The password; every other session of the account ends."""

    template_name = "people/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            of_user("user.password_changed", form.user.get_username(), {}, **deed(self.request))
        messages.success(self.request, "The password is changed. Other sessions of this account have ended.")
        return answer


@never_cache
@sensitive_post_parameters()
def second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of a login."""
    half = pending.of(request, now=timezone.now())
    if half is None:
        return redirect("login")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        credentials = {"username": half.user.get_username(), "second_factor": True}
        if not AxesProxyHandler.is_allowed(request, credentials):
            return locked_out(request)
        try:
            kind = secondfactor.verify(user=half.user, code=form.cleaned_data["code"])
        except secondfactor.TooSoon as wait:
            form.add_error("code", str(wait))
        except secondfactor.WrongCode as wrong:
            user_login_failed.send(sender=__name__, credentials=credentials, request=request)
            form.add_error("code", str(wrong))
        else:
            pending.complete(request, half, factor=kind)
            if kind != "totp":
                left = secondfactor.codes_left(half.user)
                messages.warning(
                    request, f"{left} recovery code{'s' * (left != 1)} left: make new ones in your account."
                )
            return HttpResponseRedirect(half.next)
    return page(request, "second_factor", {"form": form})


def locked_out(request: HttpRequest, response: object = None, credentials: object = None) -> HttpResponse:
    """What django-axes answers whoever failed too often."""
    cool_off = get_cool_off(request) or timedelta(0)
    seconds = round(cool_off.total_seconds())
    return page(request, "locked_out", {"minutes": seconds // 60}, status=429, **{"Retry-After": str(seconds)})


def whose(request: HttpRequest) -> tuple[User | None, pending.Pending | None]:
    """The person whose account it is: logged in, or so far that only the enrolling is left to do."""
    if isinstance(request.user, User):
        return request.user, None
    half = pending.of(request, now=timezone.now())
    if half is None or secondfactor.is_on(half.user):
        return None, None
    return half.user, half


def to_login(request: HttpRequest) -> HttpResponse:
    """Away from a page that is nobody's."""
    return redirect(f"{reverse('login')}?next={request.path}")


def where(request: HttpRequest, user: User) -> dict[str, Any]:
    """Who acts, also while only half logged in."""
    return {"actor": f"user:{user.get_username()}", "now": timezone.now(), "ip": address(request)}
