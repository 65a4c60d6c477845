"""What the tests of logins do over and over."""

import base64
import re
import time
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp

from apps.audit.models import AuditEvent
from apps.people import secondfactor
from apps.people.models import SecondFactor
from tests.people.conftest import PASSWORD


def sign_in(browser: Client, name: str, password: str = PASSWORD, door: str = "/login/", to: str = "") -> Any:
    """Type name and password into a login page."""
    typed = {"username": name, "password": password, **({"next": to} if to else {})}
    return browser.post(door, typed)


def code_of(user: User) -> str:
    """What the authenticator shows, as if it was never asked before."""
    device = SecondFactor.objects.get(user=user)
    SecondFactor.objects.filter(user=user).update(last_t=-1)
    return f"{totp(device.bin_key, t0=0, step=device.step):06}"


def totp_of(key: str) -> str:
    """What an authenticator shows for a key as people type it in."""
    return f"{totp(base64.b32decode(key), t0=0, step=30):06}"


def wrong_code(user: User) -> str:
    """A code that the authenticator shows at no time near now."""
    key = SecondFactor.objects.get(user=user).bin_key
    now = int(time.time())
    near = {totp(key, step=30, t0=0, drift=drift) for drift in range(-5, 6)}
    return next(f"{code:06}" for code in range(now % 1000, 10**6) if code not in near)


def enrol(user: User) -> list[str]:
    """Turn the second factor on; its recovery codes."""
    secondfactor.begin(user=user)
    return secondfactor.confirm(user=user, code=code_of(user), actor="test", now=timezone.now())


def is_in(browser: Client) -> bool:
    """Whether the browser is logged in."""
    return browser.get("/account/").status_code == 200


def deeds(action: str) -> list[AuditEvent]:
    """What the record says of it, oldest first."""
    return list(AuditEvent.objects.filter(action=action).order_by("at", "id"))


def codes_on(page: Any) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", page.content.decode())
