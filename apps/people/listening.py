"""Puts logins on record. Django and django-axes tell of them by signals: this is the one place that hears them."""

from typing import Any

from axes.helpers import get_cool_off
from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.people.records import ANONYMOUS, address, of_user


def listen() -> None:
    """Call it once, when the apps are loaded."""
    user_logged_in.connect(_logged_in, dispatch_uid="people.logged_in")
    user_logged_out.connect(_logged_out, dispatch_uid="people.logged_out")
    user_login_failed.connect(_failed, dispatch_uid="people.login_failed")
    user_locked_out.connect(_locked_out, dispatch_uid="people.locked_out")


def _logged_in(sender: object, request: HttpRequest, user: User, **_: Any) -> None:
    name, factor = user.get_username(), getattr(request, "second_factor", None)
    data = {"second_factor": factor} if factor else {}
    of_user("login.succeeded", name, data, actor=f"user:{name}", now=timezone.now(), ip=address(request))


def _logged_out(sender: object, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:  # else somebody who was not logged in
        name = user.get_username()
        of_user("login.ended", name, {}, actor=f"user:{name}", now=timezone.now(), ip=address(request))


def _failed(sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """What is refused while locked out is not written down: the lockout is on record, and a row each would flood it."""
    if _is_locked(request):
        return
    reason = "second factor" if credentials.get("second_factor") else "name or password"
    name, data = _known(credentials.get("username"))
    where: Any = {"actor": ANONYMOUS, "now": timezone.now(), "ip": address(request)}
    of_user("login.failed", name, data, outcome="refused", reason=reason, **where)


def _locked_out(sender: object, request: HttpRequest, username: str, **_: Any) -> None:
    """Once for each lockout, although every attempt in it is told."""
    now, ip = timezone.now(), address(request)
    name, data = _known(username)
    earlier = AuditEvent.objects.filter(target_id=name, action="account.locked", ip=ip or "")
    cool_off = get_cool_off(request)
    if cool_off is None or not earlier.filter(at__gt=now - cool_off).exists():
        of_user("account.locked", name, data, actor=ANONYMOUS, outcome="refused", now=now, ip=ip)


def _is_locked(request: HttpRequest | None) -> bool:
    """Whether the attempt was refused unseen, and not the one that was too many."""
    return bool(getattr(request, "axes_locked_out", False)) and getattr(request, "axes_failures_since_start", 0) is None


def _known(username: object) -> tuple[str, dict[str, Any]]:
    """The name, if somebody has it: what strangers type there is now and then a password."""
    name = str(username or "")
    return (name, {}) if User.objects.filter(username=name).exists() else ("", {"name_known": False})
