from collections.abc import Iterator

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.keys import services
from apps.keys.models import ApiKey
from tests.keys.cast import NOON, key_of_alice

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> Iterator[list[int]]:
    """The keys whose revocation was announced."""
    keys: list[int] = []
    before = list(services._after_revoke)
    services._after_revoke[:] = []
    services.after_revoke(keys.append)
    yield keys
    services._after_revoke[:] = before


def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    key, secret = key_of_alice()
    services.authenticate(secret=secret, ip=None, now=NOON)
    with django_capture_on_commit_callbacks(execute=True):
        assert services.revoke(key=key, now=NOON)
    with pytest.raises(services.InvalidKey):
        services.authenticate(secret=secret, ip=None, now=NOON)


def test_those_who_run_its_work_are_told_once_it_is_certain(
    told: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    key, _ = key_of_alice()
    with django_capture_on_commit_callbacks(execute=True):
        services.revoke(key=key, now=NOON)
        assert told == []
    assert told == [key.pk]


def test_only_the_first_revocation_counts(
    told: list[int], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    key, _ = key_of_alice()
    stale = ApiKey.objects.get(pk=key.pk)
    with django_capture_on_commit_callbacks(execute=True):
        assert services.revoke(key=key, now=NOON)
        assert not services.revoke(key=stale, now=NOON.replace(hour=13))
    assert ApiKey.objects.get(pk=key.pk).revoked_at == NOON
    assert told == [key.pk]


def test_a_key_is_found_by_its_id_or_not_at_all() -> None:
    key, _ = key_of_alice()
    assert services.find(public_id=key.public_id) == key
    with pytest.raises(services.KeyNotFound):
        services.find(public_id="nobodyhasit0")
