import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(db: None) -> User:
    """An operator."""
    return User.objects.create_superuser("alice", password=PASSWORD)


@pytest.fixture
def bob(db: None) -> User:
    """Works with the service, but does not run it."""
    return User.objects.create_user("bob", password=PASSWORD)


@pytest.fixture
def browser() -> Client:
    """Somebody's, who is not logged in and whose forms are checked for coming from us."""
    return Client()


@pytest.fixture
def few_failures(settings: Settings) -> None:
    """Three failures lock out."""
    settings.AXES_FAILURE_LIMIT = 3
