"""Makes an install ready to serve: tables, and on the first run somebody who can log in and a key to try."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from apps.dashboard import demo
from apps.jobs.usage.rebuilding import catch_up
from apps.keys import services as keys
from apps.keys.models import ApiKey
from config import changes

ADMIN = "admin"
PROJECT = "default"
# Any number will do, as long as all nodes of an install use the same one.
MIGRATING = 0x636373


@dataclass(frozen=True, slots=True)
class Made:
    """What the first run made; `None` for what was there already. Shown once, kept nowhere."""

    admin_password: str | None
    api_key: str | None


def prepare(*, now: datetime) -> Made:
    """Migrates, and makes an admin and a key where there are none. Safe to run again, and on several nodes at once."""
    try:
        with _one_node_at_a_time():
            _migrate(now)
            with transaction.atomic():
                changes.note(settings.ENV, now=now)
                made = Made(admin_password=_first_admin(), api_key=_first_key(now))
            if settings.DEMO and settings.ENV.demo_days:
                demo.fill(now=now, days=settings.ENV.demo_days)
            return made
    finally:
        connection.close()


@contextmanager
def _one_node_at_a_time() -> Iterator[None]:
    """SQLite has one node anyway. The lock is let go by hand: a pool would keep it with the connection."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])


def _migrate(now: datetime) -> None:
    # `migrate` looks at every model even when there is nothing to do; nearly every start is like that.
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
        catch_up(now=now)


def _first_admin() -> str | None:
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_urlsafe(15)
    users.create_superuser(ADMIN, email="", password=password)
    return password


def _first_key(now: datetime) -> str | None:
    if ApiKey.objects.exists():
        return None
    project, _ = keys.ensure_project(slug=PROJECT, now=now)
    return keys.issue(project=project, name="first key", now=now)[1]
