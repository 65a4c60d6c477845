"""Fixtures of the profiles' tests. Alice may do everything in the admin, Bob may look at profiles and nothing else."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from hypothesis import settings

from apps.permissions.models import Profile
from tests.permissions.casts import make_profile

settings.register_profile("no-clock", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("no-clock")


@pytest.fixture
def team(db: None) -> Profile:
    """An operator's own profile."""
    return make_profile()


@pytest.fixture
def alice(db: None) -> Client:
    return _browser(User.objects.create_superuser("alice"))


@pytest.fixture
def bob(db: None) -> Client:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_profile"))
    return _browser(user)


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
