import hmac
import time
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from apps.keys import secrets, services
from apps.keys.models import ApiKey
from apps.keys.services import InvalidKey, authenticate
from tests.keys.cast import NOON, key_of_alice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    services._cache.clear()


def refused(secret: str, *, now: datetime = NOON) -> bool:
    try:
        authenticate(secret=secret, ip=None, now=now)
    except InvalidKey as error:
        return not error.args  # one refusal for all, without a reason
    return False


def test_the_secret_opens_its_own_key() -> None:
    key, secret = key_of_alice()
    assert authenticate(secret=secret, ip="192.0.2.1", now=NOON) == key


def test_the_right_id_with_another_secret_is_refused() -> None:
    key, _ = key_of_alice()
    other = secrets.generate().text.split("_")[3]
    body = f"ccs_live_{key.public_id}_{other}"
    assert refused(f"{body}_{secrets.checksum(body)}")


def test_unknown_malformed_revoked_and_expired_keys_are_refused_alike() -> None:
    key, secret = key_of_alice(expires_at=NOON + timedelta(hours=1))
    assert refused(secrets.generate().text)
    assert refused("sk-something-else")
    assert refused("")
    assert not refused(secret, now=NOON + timedelta(minutes=59))
    assert refused(secret, now=NOON + timedelta(hours=1))
    services.revoke(key=key, now=NOON)
    services._cache.clear()
    assert refused(secret)


def test_a_key_expires_to_the_second_even_while_its_row_is_remembered() -> None:
    _, secret = key_of_alice(expires_at=NOON + timedelta(seconds=10))
    assert not refused(secret, now=NOON + timedelta(seconds=9))
    assert refused(secret, now=NOON + timedelta(seconds=10))


def test_an_unknown_id_is_compared_like_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    honest = hmac.compare_digest

    def watched(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return honest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    _, secret = key_of_alice()
    assert not refused(secret)
    assert refused(secrets.generate().text)
    assert compared == [(64, 64), (64, 64)]


def test_looking_a_key_up_is_one_query_by_an_index(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, secret = key_of_alice()
    with django_assert_num_queries(1) as seen:
        key = authenticate(secret=secret, ip=None, now=NOON)
        assert key.project.slug == "atlas"
        assert key.profile is not None
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {seen.captured_queries[0]['sql']}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "SCAN" not in plan
    assert "public_id" in plan


def test_a_row_is_remembered_for_half_a_second_at_most() -> None:
    _, secret = key_of_alice()
    with CaptureQueriesContext(connection) as seen:
        for _ in range(20):
            authenticate(secret=secret, ip=None, now=NOON)
    assert len(seen) == 1
    assert services.CACHE_SECONDS <= 0.5
    [entry] = services._cache.values()
    assert entry[0] <= time.monotonic() + services.CACHE_SECONDS


def test_a_forgotten_cache_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "CACHE_ENTRIES", 3)
    for _ in range(5):
        _, secret = key_of_alice()
        authenticate(secret=secret, ip=None, now=NOON)
    assert len(services._cache) <= 3


def test_unknown_ids_are_not_remembered() -> None:
    assert refused(secrets.generate().text)
    assert not services._cache


def test_last_used_is_noted_at_most_once_a_minute() -> None:
    key, secret = key_of_alice()
    later = NOON + timedelta(seconds=59)
    services.touch(key=authenticate(secret=secret, ip=None, now=NOON), now=NOON)
    services.touch(key=authenticate(secret=secret, ip=None, now=later), now=later)
    assert ApiKey.objects.get(pk=key.pk).last_used_at == NOON
    minute = NOON + timedelta(seconds=60)
    services.touch(key=authenticate(secret=secret, ip=None, now=minute), now=minute)
    assert ApiKey.objects.get(pk=key.pk).last_used_at == minute


def test_noting_the_use_costs_nothing_when_it_was_noted(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, secret = key_of_alice()
    key = authenticate(secret=secret, ip=None, now=NOON)
    services.touch(key=key, now=NOON)
    with django_assert_num_queries(0):
        services.touch(key=authenticate(secret=secret, ip=None, now=NOON), now=NOON)
