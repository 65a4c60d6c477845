"""What can be done with projects and keys."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.audit.changes import diff
from apps.keys import issuing, networks, records, secrets
from apps.keys.models import ApiKey, Project, slug_rule
from apps.keys.terms import Terms
from apps.permissions.models import Profile

CACHE_SECONDS = 0.5
"""How long a process may trust a key's row. A revocation must act within a second, everywhere."""
CACHE_ENTRIES = 4096
TOUCH_EVERY = timedelta(minutes=1)
_OF_PROJECT = ["name", "webhook_url", "emails"]

_cache: dict[str, tuple[float, ApiKey]] = {}
_after_revoke: list[Callable[[int], object]] = []


class InvalidKey(Exception):
    """The key is malformed, unknown, expired, revoked or used from elsewhere: the caller is not told which."""


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
            records.of_project("project.created", project, {}, actor=actor, now=now)
    return project, created


def save_project(*, project: Project, actor: str, ip: str | None = None, now: datetime) -> None:
    """Write a new project, or what may change of a known one. Raises ValidationError, by field."""
    with transaction.atomic():
        if project._state.adding:
            project.created_at = now
            project.save(force_insert=True)
            records.of_project("project.created", project, {}, actor=actor, ip=ip, now=now)
            return
        before = Project.objects.select_for_update().get(pk=project.pk)
        facts = [{name: getattr(each, name) for name in _OF_PROJECT} for each in (before, project)]
        if changes := diff(*facts):
            project.clean_fields(exclude=["slug", "created_at"])
            project.save(update_fields=_OF_PROJECT)
            action = "project.renamed" if set(changes["after"]) == {"name"} else "project.changed"
            records.of_project(action, project, changes, actor=actor, ip=ip, now=now)


def issue(
    *,
    project: Project,
    name: str,
    profile: Profile | None = None,
    expires_at: datetime | None = None,
    actor: str = "system",
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key without limits of its own, as most are. See `issue_on`."""
    return issue_on(
        project=project, terms=Terms(name=name, profile=profile, expires_at=expires_at), actor=actor, now=now
    )


def issue_on(*, project: Project, terms: Terms, actor: str, ip: str | None = None, now: datetime) -> tuple[ApiKey, str]:
    """A new key and its secret, which is nowhere else and cannot be shown again.

    Without a profile it gets the default one. Raises ValueError if its end is not in the future, and ValidationError,
    by field, for a limit below 1, a network that is none or a model that nobody knows.
    """
    terms = replace(terms, profile=terms.profile or Profile.objects.default())
    with transaction.atomic():
        key, secret = issuing.create(project=project, terms=terms, now=now)
        records.of_key("key.issued", key, {"after": terms.to_json()}, actor=actor, ip=ip, now=now)
    return key, secret


def revoke(*, key: ApiKey, actor: str = "system", ip: str | None = None, now: datetime) -> bool:
    """End a key for ever; what runs on it is ended too. False if it was revoked before."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return False
        changes = {"before": {"revoked_at": None}, "after": {"revoked_at": now.isoformat()}}
        records.of_key("key.revoked", key, changes, actor=actor, ip=ip, now=now)
        transaction.on_commit(lambda: _revoked(key))
    key.revoked_at = now
    return True


def change(*, key: ApiKey, terms: Terms, actor: str, ip: str | None = None, now: datetime) -> bool:
    """Give a key other terms; False if it has them already. A revoked key stays revoked.

    A new end is warned about anew. Raises ValidationError as `issue` does.
    """
    with transaction.atomic():
        row = ApiKey.objects.select_for_update(of=("self",)).select_related("project", "profile").get(pk=key.pk)
        changes = diff(Terms.of(row).to_json(), terms.to_json())
        if not changes:
            return False
        columns = terms.columns()
        if terms.expires_at != row.expires_at:
            columns["expiry_warned_days"] = None
        for name, value in columns.items():
            setattr(row, name, value)
            setattr(key, name, value)
        issuing.check(row)
        row.save(update_fields=list(columns))
        records.of_key("key.changed", row, changes, actor=actor, ip=ip, now=now)
    forget(key)
    return True


def forget(key: ApiKey) -> None:
    """Read the key's row anew when it is next used here; other processes do so within CACHE_SECONDS anyway."""
    _cache.pop(key.public_id, None)


def find(*, public_id: str) -> ApiKey:
    """The key of that id. Raises KeyNotFound."""
    try:
        return ApiKey.objects.select_related("project", "profile").get(public_id=public_id)
    except ApiKey.DoesNotExist:
        raise KeyNotFound(f"there is no key {public_id}") from None


def authenticate(*, secret: str, ip: str | None, now: datetime) -> ApiKey:
    """The key whose secret this is, with its project and profile. Raises InvalidKey for anything else.

    One indexed query at most every CACHE_SECONDS for each key. `ip` is the caller's address, which has to lie in the
    key's networks if it has any.
    """
    text = secrets.parse(secret)
    if text is None:
        raise InvalidKey
    key = _row(text.public_id)
    known = key.digest if key else "0" * 64  # an unknown id costs the same comparison as a known one
    if not issuing.is_digest(known, secret) or key is None or not key.is_usable(now=now):
        raise InvalidKey
    if not networks.contains(key.allowed_networks, ip):
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


def _revoked(key: ApiKey) -> None:
    forget(key)
    for act in _after_revoke:
        act(key.pk)
