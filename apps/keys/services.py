"""What can be done with projects and keys."""

import hmac
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.audit import services as audit
from apps.keys import secrets
from apps.keys.models import ApiKey, Project, slug_rule
from apps.permissions.models import Profile

CACHE_SECONDS = 0.5
"""How long a process may trust a key's row. A revocation must act within a second, everywhere."""
CACHE_ENTRIES = 4096
TOUCH_EVERY = timedelta(minutes=1)

_cache: dict[str, tuple[float, ApiKey]] = {}
_after_revoke: list[Callable[[int], object]] = []


class InvalidKey(Exception):
    """The key is malformed, unknown, expired or revoked: the caller is not told which."""


class KeyNotFound(Exception):
    """There is no key with that id."""


def after_revoke(act: Callable[[int], object]) -> None:
    """Have `act(key_pk)` called after every revocation has been committed: upper floors end that key's work with it."""
    _after_revoke.append(act)


def ensure_project(*, slug: str, actor: str = "system", now: datetime) -> tuple[Project, bool]:
    """The project of that slug, made if it is new, and whether it was. Raises ValidationError for a bad slug."""
    slug_rule(slug)
    with transaction.atomic():
        project, created = Project.objects.get_or_create(slug=slug, defaults={"created_at": now})
        if created:
            _record_project(project, actor=actor, now=now)
    return project, created


def save_project(*, project: Project, actor: str, now: datetime) -> None:
    """Write a new project, or the name of a known one."""
    with transaction.atomic():
        if project._state.adding:
            project.created_at = now
            project.save(force_insert=True)
            _record_project(project, actor=actor, now=now)
        else:
            project.save(update_fields=["name"])


def issue(
    *,
    project: Project,
    name: str,
    profile: Profile | None = None,
    expires_at: datetime | None = None,
    actor: str = "system",
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else and cannot be shown again.

    Without a profile it gets the default one. Raises ValueError if `expires_at` is not in the future.
    """
    if expires_at is not None and expires_at <= now:
        raise ValueError("a key must expire in the future")
    fresh = secrets.generate()
    with transaction.atomic():
        key = ApiKey.objects.create(
            project=project,
            name=name,
            public_id=fresh.public_id,
            digest=_digest(fresh.text),
            last4=fresh.last4,
            profile=profile or Profile.objects.default(),
            created_at=now,
            expires_at=expires_at,
        )
        _record("key.issued", key, actor=actor, now=now)
    return key, fresh.text


def revoke(*, key: ApiKey, actor: str = "system", now: datetime) -> bool:
    """End a key for ever; what runs on it is ended too. False if it was revoked before."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return False
        _record("key.revoked", key, actor=actor, now=now)
        transaction.on_commit(lambda: _revoked(key))
    key.revoked_at = now
    return True


def change(
    *, key: ApiKey, name: str, profile: Profile | None, expires_at: datetime | None, actor: str, now: datetime
) -> None:
    """Rename a key, give it another profile or another end. A revoked key stays revoked."""
    key.name, key.profile, key.expires_at = name, profile, expires_at
    with transaction.atomic():
        key.save(update_fields=["name", "profile", "expires_at"])
        _record("key.changed", key, actor=actor, now=now)
    _cache.pop(key.public_id, None)


def find(*, public_id: str) -> ApiKey:
    """The key of that id. Raises KeyNotFound."""
    try:
        return ApiKey.objects.select_related("project", "profile").get(public_id=public_id)
    except ApiKey.DoesNotExist:
        raise KeyNotFound(f"there is no key {public_id}") from None


def authenticate(*, secret: str, ip: str | None, now: datetime) -> ApiKey:
    """The key whose secret this is, with its project and profile. Raises InvalidKey for anything else.

    One indexed query at most every CACHE_SECONDS for each key. `ip` is the caller's address.
    """
    text = secrets.parse(secret)
    if text is None:
        raise InvalidKey
    key = _row(text.public_id)
    known = key.digest if key else "0" * 64  # an unknown id costs the same comparison as a known one
    if not hmac.compare_digest(_digest(secret), known) or key is None or not key.is_usable(now=now):
        raise InvalidKey
    return key


def needs_touch(key: ApiKey, *, now: datetime) -> bool:
    """Whether `touch` would write."""
    return key.last_used_at is None or key.last_used_at <= now - TOUCH_EVERY


def touch(*, key: ApiKey, now: datetime) -> None:
    """Note that the key was used, at most once a minute. Interfaces call it once the answer is out."""
    if not needs_touch(key, now=now):
        return
    key.last_used_at = now  # the cached row, so that this process does not come again for a minute
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - TOUCH_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _row(public_id: str) -> ApiKey | None:
    """The key's row, no older than CACHE_SECONDS."""
    entry = _cache.get(public_id)
    if entry and entry[0] > time.monotonic():
        return entry[1]
    read_at = time.monotonic()
    key = ApiKey.objects.select_related("project", "profile").filter(public_id=public_id).first()
    if key is not None:
        if len(_cache) >= CACHE_ENTRIES:
            _cache.clear()
        _cache[public_id] = (read_at + CACHE_SECONDS, key)
    return key


def _digest(text: str) -> str:
    return secrets.digest(text, pepper=secrets.pepper(settings.SECRET_KEY))


def _revoked(key: ApiKey) -> None:
    _cache.pop(key.public_id, None)
    for act in _after_revoke:
        act(key.pk)


def _record_project(project: Project, *, actor: str, now: datetime) -> None:
    audit.record(
        actor=actor,
        action="project.created",
        target_type="project",
        target_id=project.slug,
        project_id=project.slug,
        outcome="success",
        reason="",
        ip=None,
        data={},
        now=now,
    )


def _record(action: str, key: ApiKey, *, actor: str, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="key",
        target_id=key.public_id,
        project_id=key.project.slug,
        outcome="success",
        reason="",
        ip=None,
        data={"name": key.name, "profile": key.profile.slug if key.profile else None},
        now=now,
    )
