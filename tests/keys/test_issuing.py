from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.keys import services
from apps.keys.models import ApiKey, Project
from tests.keys.cast import NOON, atlas, free, key_of_alice

pytestmark = pytest.mark.django_db


def test_the_secret_is_nowhere_in_the_row() -> None:
    key, secret = key_of_alice()
    row = ApiKey.objects.values().get(pk=key.pk)
    secret_part = secret.split("_")[3]
    assert all(secret_part not in str(value) for value in row.values())
    assert row["last4"] == secret_part[-4:]


def test_a_key_without_a_profile_gets_the_default_one() -> None:
    key, _ = key_of_alice()
    assert key.profile is not None
    assert key.profile.slug == "pro"


def test_a_key_keeps_the_profile_it_is_given() -> None:
    key, _ = services.issue(project=atlas(), name="guest", profile=free(), now=NOON)
    assert ApiKey.objects.get(pk=key.pk).profile == free()


def test_a_key_cannot_be_issued_for_the_past() -> None:
    with pytest.raises(ValueError, match="future"):
        key_of_alice(expires_at=NOON)


def test_a_project_is_made_once() -> None:
    first, made = services.ensure_project(slug="atlas", now=NOON)
    again, made_again = services.ensure_project(slug="atlas", now=NOON + timedelta(days=1))
    assert (made, made_again) == (True, False)
    assert first == again
    assert again.created_at == NOON


@pytest.mark.parametrize("slug", ["", "Atlas", "a b", "-a", "a-", "a/b", "ü", "a" * 65, "a\n"])
def test_a_slug_that_would_not_fit_the_wire_is_refused(slug: str) -> None:
    with pytest.raises(ValidationError):
        services.ensure_project(slug=slug, now=NOON)
    assert not Project.objects.exists()


def test_the_database_itself_refuses_a_key_that_ends_before_it_begins() -> None:
    key, _ = key_of_alice()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(expires_at=NOON - timedelta(seconds=1))
