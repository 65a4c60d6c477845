"""A second factor for logins: codes by time (RFC 6238), and recovery codes for when the device is lost.

django-otp checks them: none works twice, and each failure makes the next attempt wait longer. The device's secret is
kept encrypted, since it has to be computed with; recovery codes are kept as digests.
"""

import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken

from apps.keys.encryption import Undecryptable
from apps.people.models import SecondFactor, new_secret
from apps.people.records import of_user

RECOVERY_CODES = 10
_SECRET_BYTES = 20
"""As RFC 4226 recommends."""
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_NAME = "second factor"


class WrongCode(Exception):
    """The code is not right, or was used already."""

    def __init__(self) -> None:
        super().__init__("This code is not right, or it was used already. Wait for the next one and try again.")


class TooSoon(Exception):
    """There were failures just now; the message says how long to wait."""


class Unreadable(TooSoon):
    """The device's secret was encrypted under a secret key that is gone; no code can be right, and none was wrong."""

    def __init__(self) -> None:
        super().__init__(
            "This second factor cannot be read any more, as the service's secret key has changed. Use a recovery code, "
            "or ask an operator to remove it from your account."
        )


def is_on(user: User) -> bool:
    """Whether the person has to give a second factor."""
    return bool(SecondFactor.objects.filter(user=user, confirmed=True).exists())


def codes_left(user: User) -> int:
    """Recovery codes that were not used."""
    return int(StaticToken.objects.filter(device__user=user).count())


def begin(*, user: User) -> SecondFactor:
    """A new secret to put into an authenticator. Nothing is asked for until `confirm`."""
    with transaction.atomic():
        SecondFactor.objects.filter(user=user, confirmed=False).delete()
        device: SecondFactor = SecondFactor.objects.create(
            user=user, name=_NAME, confirmed=False, key=new_secret(secrets.token_bytes(_SECRET_BYTES))
        )
    return device


def begun(user: User) -> SecondFactor | None:
    """The secret that waits for its first code."""
    device: SecondFactor | None = SecondFactor.objects.filter(user=user, confirmed=False).first()
    return device


def confirm(*, user: User, code: str, actor: str, now: datetime, ip: str | None = None) -> list[str]:
    """Turn the second factor on; the recovery codes, to be shown once. Raises WrongCode or TooSoon."""
    with transaction.atomic():
        device = SecondFactor.objects.select_for_update().filter(user=user, confirmed=False).first()
        right = device is not None and _allowed(device) and _matches(device, code)
        if right:
            SecondFactor.objects.filter(user=user).exclude(pk=device.pk).delete()
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            codes = _new_codes(user)
            of_user("second_factor.enrolled", user.get_username(), {}, actor=actor, now=now, ip=ip)
    if not right:  # outside, for the failure was counted inside
        raise WrongCode
    return codes


def verify(*, user: User, code: str) -> str:
    """Which kind of code it was, `totp` or `recovery code`; it is used up. Raises WrongCode or TooSoon."""
    plain = "".join(code.split()).replace("-", "").lower()
    by_time = plain.isdecimal()
    devices = SecondFactor.objects if by_time else StaticDevice.objects
    with transaction.atomic():
        device = devices.select_for_update().filter(user=user, confirmed=True).first()
        right = (
            device is not None and _allowed(device) and _matches(device, plain if by_time else _known(device, plain))
        )
    if not right:
        raise WrongCode
    return "totp" if by_time else "recovery code"


def renew_codes(*, user: User, actor: str, now: datetime, ip: str | None = None) -> list[str]:
    """New recovery codes, to be shown once; the old ones are void."""
    with transaction.atomic():
        codes = _new_codes(user)
        of_user("second_factor.codes_renewed", user.get_username(), {}, actor=actor, now=now, ip=ip)
    return codes


def turn_off(*, user: User, actor: str, now: datetime, ip: str | None = None) -> bool:
    """Ask for the password alone from now on; False if it was so."""
    with transaction.atomic():
        count, _ = SecondFactor.objects.filter(user=user, confirmed=True).delete()
        SecondFactor.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        if count:
            of_user("second_factor.removed", user.get_username(), {}, actor=actor, now=now, ip=ip)
    return bool(count)


def _allowed(device: SecondFactor | StaticDevice) -> bool:
    """Raises TooSoon."""
    allowed, why = device.verify_is_allowed()
    if not allowed:
        seconds = max(1, round((why["locked_until"] - timezone.now()).total_seconds()))
        raise TooSoon(f"Wait {seconds} second{'s' * (seconds != 1)} before you try again.")
    return True


def _matches(device: SecondFactor | StaticDevice, code: str) -> bool:
    """Raises Unreadable."""
    try:
        return bool(device.verify_token(code))
    except Undecryptable:
        raise Unreadable from None


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name=_NAME, confirmed=True)
    plain = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_kept(user, code)) for code in plain)
    return [f"{code[:5]}-{code[5:]}" for code in plain]


def _kept(user: User, code: str, secret_key: str | None = None) -> str:
    """A recovery code as the database has it: 64 bits of a keyed digest, which is all that fits the column."""
    made = salted_hmac("people.recovery_code", f"{user.pk}:{code}", secret=secret_key, algorithm="sha256")
    return made.hexdigest()[:16]


def _known(device: StaticDevice, code: str) -> str:
    """The same, as the device has it: it may be from the days of an earlier secret key."""
    today, *earlier = (_kept(device.user, code, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    known = StaticToken.objects.filter(device=device, token__in=earlier).values_list("token", flat=True).first()
    return known or today
