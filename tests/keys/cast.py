"""Rows that the tests of keys begin with."""

from datetime import UTC, datetime

from django.contrib.auth.models import User

from apps.audit.models import AuditEvent
from apps.keys import services
from apps.keys.models import ApiKey, Project
from apps.permissions.models import Profile

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def atlas(now: datetime = NOON) -> Project:
    """Alice's project."""
    return services.ensure_project(slug="atlas", now=now)[0]


def key_of_alice(now: datetime = NOON, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A key of the project atlas, and its secret."""
    return services.issue(project=atlas(now), name="alice", expires_at=expires_at, now=now)


def free() -> Profile:
    """The smallest of the shipped tiers."""
    return Profile.objects.get(slug="free")


def limited_key(pk: int = 1, **limits: int) -> ApiKey:
    """A key with those limits and a profile of 20 jobs at a time, in no database."""
    return ApiKey(pk=pk, project=Project(slug="atlas"), profile=Profile(slug="tier", max_concurrency=20), **limits)


def person(name: str, *, is_active: bool = True, is_superuser: bool = False) -> User:
    """Somebody who can log in, unless told otherwise."""
    return User.objects.create_user(name, is_active=is_active, is_superuser=is_superuser)


def deeds(action: str) -> list[AuditEvent]:
    """What the record says of an action, oldest first."""
    return list(AuditEvent.objects.filter(action=action).order_by("id"))
