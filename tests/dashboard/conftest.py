"""The cast: Alice owns atlas, Bob views it, Mira works in it, Charlie must see nothing of it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.dashboard import demo
from apps.keys import members, services
from apps.keys.models import Project, Role


@pytest.fixture
def atlas(db: None) -> Project:
    """A project without anything in it."""
    return services.ensure_project(slug="atlas", now=timezone.now())[0]


@pytest.fixture
def filled(db: None) -> Project:
    """Atlas as the demonstration has it, of four days only."""
    demo.fill(now=timezone.now(), days=4)
    return Project.objects.get(slug="atlas")


def person(
    name: str, project: Project | None = None, role: Role = Role.OWNER, *, superuser: bool = False, staff: bool = False
) -> User:
    """Somebody who can log in."""
    user = User.objects.create_user(name, is_superuser=superuser, is_staff=superuser or staff)
    if project is not None:
        members.add(project=project, user=user, role=role, actor="system", now=timezone.now())
    return user


def window(user: User) -> Client:
    """The person's browser, logged in, forms checked."""
    client = Client(HTTP_ACCEPT="text/html")
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def _sessions_in_the_database(settings: Settings) -> None:
    """These tests start no Valkey of their own."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
