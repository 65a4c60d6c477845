from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django import Settings

from apps.keys import addresses, ratelimit
from apps.keys.addresses import check_address, note_failure
from apps.keys.rates import RateLimited
from tests.support.valkey import ValkeyServer

NOW = 1_800_000_000.0
FAILURES_PER_MINUTE = 20


@pytest.fixture(autouse=True)
def _fresh(valkey: ValkeyServer, settings: Settings) -> Iterator[None]:
    settings.AUTH_FAILURES_PER_MINUTE = FAILURES_PER_MINUTE
    ratelimit._away_until = 0.0
    yield
    ratelimit._away_until = 0.0


def fail(ip: str | None, times: int, *, at: float = 0.0) -> None:
    for _ in range(times):
        note_failure(ip=ip, now=NOW + at)


def blocked(ip: str, *, at: float = 0.0) -> bool:
    try:
        check_address(ip=ip, now=NOW + at)
    except RateLimited as error:
        return error.limited == "address" and error.retry_after_seconds > 0
    return False


def test_the_twenty_first_failure_in_a_minute_is_one_too_many() -> None:
    fail("192.0.2.1", FAILURES_PER_MINUTE)
    with pytest.raises(RateLimited) as caught:
        fail("192.0.2.1", 1, at=10)
    assert caught.value.retry_after_seconds == 51
    assert "address" in str(caught.value)
    fail("192.0.2.1", 1, at=61)


def test_an_address_can_be_asked_about_before_it_fails_again() -> None:
    fail("192.0.2.1", FAILURES_PER_MINUTE - 1)
    assert not blocked("192.0.2.1")
    fail("192.0.2.1", 1)
    assert blocked("192.0.2.1")
    assert not blocked("192.0.2.1", at=61)


def test_other_addresses_are_not_held_responsible() -> None:
    fail("192.0.2.1", FAILURES_PER_MINUTE)
    assert not blocked("192.0.2.2")
    fail("192.0.2.2", 1)


def test_an_ipv6_customer_is_one_address_however_many_are_used() -> None:
    for number in range(FAILURES_PER_MINUTE):
        fail(f"2001:db8:1:2::{number:x}", 1)
    assert blocked("2001:db8:1:2:ffff::1")
    assert not blocked("2001:db8:1:3::1")


def test_an_ipv4_address_dressed_as_ipv6_is_the_same_address() -> None:
    fail("::ffff:192.0.2.1", FAILURES_PER_MINUTE)
    assert blocked("192.0.2.1")


def test_callers_without_an_address_are_local_and_not_counted() -> None:
    fail(None, FAILURES_PER_MINUTE * 2)
    fail("", FAILURES_PER_MINUTE * 2)


def test_text_that_is_no_address_is_counted_as_it_is() -> None:
    assert addresses._network("unknown" * 20) == ("unknown" * 20)[:45]


def test_nobody_is_refused_while_valkey_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VALKEY_URL", "unix:///nowhere/valkey.sock?db=0")
    fail("192.0.2.1", FAILURES_PER_MINUTE * 2)
