"""Fixtures of the profiles' tests."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from apps.permissions.models import Profile
from tests.permissions.casts import make_profile


@pytest.fixture
def team(db: None) -> Profile:
    """An operator's own profile."""
    return make_profile()


@pytest.fixture
def operator(db: None) -> Client:
    """A superuser's browser. No password, because hashing one is half of a test's time."""
    return _browser(User.objects.create_superuser("petra"))


@pytest.fixture
def onlooker(db: None) -> Client:
    """The browser of a member of staff who may look at profiles and do nothing else."""
    user = User.objects.create_user("olga", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_profile"))
    return _browser(user)


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
