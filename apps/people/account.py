"""A person's own account: what it is, its second factor, its recovery codes."""

from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.people import pending, secondfactor
from apps.people.forms import CodeForm, PasswordForm
from apps.people.views import page, to_login, where, whose


@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """What there is to look after."""
    if not isinstance(request.user, User):
        return to_login(request)
    return _account(request, request.user, PasswordForm(request=request))


@never_cache
@sensitive_post_parameters()
def enrol(request: HttpRequest) -> HttpResponse:
    """Show a new secret and wait for its first code. Whoever was sent here by their login is in afterwards."""
    user, half = whose(request)
    if user is None:
        return to_login(request)
    device = secondfactor.begun(user)
    if "code" not in request.POST:
        if half is None and (answer := _unproven(request, user)) is not None:
            return answer
        device = secondfactor.begin(user=user)
    if device is None:
        return redirect("account")
    form = CodeForm(request.POST if "code" in request.POST else None)
    if form.is_valid():
        try:
            codes = secondfactor.confirm(user=user, code=form.cleaned_data["code"], **where(request, user))
        except (secondfactor.WrongCode, secondfactor.TooSoon) as fault:
            form.add_error("code", str(fault))
        else:
            if half is not None:
                pending.complete(request, half, factor="totp")
            pending.mark(request)
            return _codes(request, codes, to=half.next if half else "")
    key = " ".join(_groups(device.config_url.split("secret=")[1].split("&")[0]))
    shown = {"form": form, "qr": _qr(device.config_url), "key": key, "required": half is not None}
    return page(request, "enrol", shown)


@never_cache
@require_POST
@sensitive_post_parameters()
def renew_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes."""
    user = request.user
    if not isinstance(user, User):
        return to_login(request)
    if (answer := _unproven(request, user)) is not None:
        return answer
    if not secondfactor.is_on(user):
        return redirect("account")
    return _codes(request, secondfactor.renew_codes(user=user, **where(request, user)), to="")


@never_cache
@require_POST
@sensitive_post_parameters()
def turn_off(request: HttpRequest) -> HttpResponse:
    """The password alone, from the next login on."""
    user = request.user
    if not isinstance(user, User):
        return to_login(request)
    if (answer := _unproven(request, user)) is not None:
        return answer
    if secondfactor.turn_off(user=user, **where(request, user)):
        messages.success(request, "The second factor is off.")
    return redirect("account")


def _unproven(request: HttpRequest, user: User) -> HttpResponse | None:
    """The account page again, unless the password was given and is right."""
    form = PasswordForm(request.POST or None, request=request)
    return None if form.is_valid() else _account(request, user, form)


def _account(request: HttpRequest, user: User, form: PasswordForm) -> HttpResponse:
    facts: dict[str, Any] = {"form": form, "on": secondfactor.is_on(user), "codes_left": secondfactor.codes_left(user)}
    return page(request, "account", facts)


def _codes(request: HttpRequest, codes: list[str], *, to: str) -> HttpResponse:
    """The page with the codes, and not a redirect: they are in no session, cookie or history."""
    return page(request, "codes", {"codes": codes, "next": to})


def _qr(url: str) -> SafeString:
    """As SVG without styles; readers want it dark on light, whatever the page's colours are."""
    return mark_safe(segno.make(url, error="m").svg_inline(scale=5, border=2, light="#fff"))  # noqa: S308  drawn by us


def _groups(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]
