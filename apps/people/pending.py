"""Logins whose password was right and whose second factor is due. Until it is given, the session is nobody's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest

LASTS = timedelta(minutes=10)
_KEY = "pending_login"


@dataclass(frozen=True, slots=True)
class Pending:
    """Who is half logged in, and where they want to go."""

    user: User
    backend: str
    next: str


def begin(request: HttpRequest, *, user: User, to: str, now: datetime) -> None:
    """The password was right. `user` is as `authenticate` gave it."""
    request.session.cycle_key()
    request.session[_KEY] = {
        "user": user.pk,
        "backend": getattr(user, "backend"),  # noqa: B009  set by authenticate
        "password": user.get_session_auth_hash(),
        "next": to,
        "at": now.isoformat(),
    }


def of(request: HttpRequest, *, now: datetime) -> Pending | None:
    """The half login of this session, unless it took too long or the account changed meanwhile."""
    kept = request.session.get(_KEY)
    if kept is None or now - datetime.fromisoformat(kept["at"]) > LASTS:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or user.get_session_auth_hash() != kept["password"]:
        return None
    return Pending(user, kept["backend"], kept["next"])


def complete(request: HttpRequest, pending: Pending, *, factor: str) -> None:
    """Log them in. `factor` is what they gave: `totp`, `recovery code`."""
    del request.session[_KEY]
    setattr(request, "second_factor", factor)  # noqa: B010  for the record
    login(request, pending.user, backend=pending.backend)
    mark(request)


def mark(request: HttpRequest) -> None:
    """This session has given its second factor."""
    request.session["second_factor"] = True


def has_given(request: HttpRequest) -> bool:
    """Whether this session has given a second factor."""
    return request.session.get("second_factor") is True
