from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from unittest.mock import patch

import pytest
from django.conf import settings

from apps.keys import ratelimit
from apps.keys.models import ApiKey
from apps.keys.rates import Meter, RateLimited, RateState
from tests.keys.cast import limited_key
from tests.support.valkey import ValkeyServer

NOW = 1_800_000_000.25


@pytest.fixture(autouse=True)
def _fresh(valkey: ValkeyServer) -> Iterator[None]:
    ratelimit._away_until = 0.0
    yield
    ratelimit._away_until = 0.0


def ask(key: ApiKey, job_id: str = "", *, tokens: int = 0, requests: int = 1, at: float = 0.0) -> RateState:
    return ratelimit.admit(key=key, job_id=job_id, tokens=tokens, requests=requests, now=NOW + at)


def refusal(key: ApiKey, job_id: str = "", *, tokens: int = 0, at: float = 0.0) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        ask(key, job_id, tokens=tokens, at=at)
    return caught.value


def passes(key: ApiKey, job_id: str = "", *, now: float | None = None) -> bool:
    try:
        ratelimit.admit(key=key, job_id=job_id, tokens=0, now=now)
    except RateLimited:
        return False
    return True


def settle(key: ApiKey, job_id: str, tokens: int, *, at: float) -> None:
    ratelimit.settle_tokens(key_id=key.pk, job_id=job_id, tokens=tokens, now=NOW + at)


def tokens_left(key: ApiKey, at: float = 0.0) -> int:
    meter = ratelimit.peek(key=key, now=NOW + at).tokens
    assert meter
    return meter.remaining


def test_the_request_after_the_limit_is_refused_and_told_when_to_come_back() -> None:
    key = limited_key(requests_per_minute=2)
    assert ask(key).requests == Meter(2, 1, 60.75)
    assert ask(key, at=10).requests == Meter(2, 0, 60.75)
    refused = refusal(key, at=20)
    assert (refused.limited, refused.limit) == ("requests", 2)
    assert refused.retry_after_seconds == 40.75  # when the first of the two is a minute past
    assert refused.state.requests == Meter(2, 0, 50.75)
    assert "2 requests per minute" in str(refused)


def test_who_waits_as_told_passes_and_not_a_moment_earlier() -> None:
    key = limited_key(requests_per_minute=1)
    ask(key)
    wait = refusal(key, at=1).retry_after_seconds
    refusal(key, at=1 + wait - 0.01)
    assert ask(key, at=1 + wait).requests == Meter(1, 0, 61.0)


def test_no_sixty_seconds_hold_more_than_the_limit() -> None:
    key = limited_key(requests_per_minute=10)
    passed = [at / 4 for at in range(4 * 150) if passes(key, now=NOW + at / 4)]
    for start in passed:
        assert sum(start <= at < start + 60 for at in passed) <= 10
    assert len(passed) >= 20


def test_refused_requests_do_not_push_the_end_of_the_wait_away() -> None:
    key = limited_key(requests_per_minute=1)
    ask(key)
    for second in range(1, 60):
        refusal(key, at=second)
    assert ask(key, at=61)


def test_a_quiet_minute_gives_everything_back() -> None:
    key = limited_key(requests_per_minute=5, tokens_per_minute=100)
    for second in range(5):
        ask(key, tokens=20, at=second)
    assert ratelimit.peek(key=key, now=NOW + 70) == RateState(
        Meter(5, 5, 0.0), Meter(100, 100, 0.0), Meter(20, 20, 0.0)
    )


def test_buckets_are_given_back_one_by_one() -> None:
    key = limited_key(tokens_per_minute=100)
    for second in (0, 10, 20):
        ask(key, tokens=30, at=second)
    assert [tokens_left(key, at) for at in (20, 60, 61, 70, 71, 80, 81)] == [10, 10, 40, 40, 70, 70, 100]


def test_tokens_are_charged_as_estimated_and_corrected_when_the_job_ends() -> None:
    key = limited_key(tokens_per_minute=1000)
    assert ask(key, "job_1", tokens=600).tokens == Meter(1000, 400, 60.75)
    refused = refusal(key, "job_2", tokens=500, at=1)
    assert (refused.limited, refused.retry_after_seconds) == ("tokens", 59.75)
    settle(key, "job_1", 100, at=2)
    assert tokens_left(key, at=2) == 900
    assert ask(key, "job_2", tokens=500, at=3).tokens == Meter(1000, 400, 60.75)


def test_what_an_estimate_missed_is_charged_when_it_is_known() -> None:
    key = limited_key(tokens_per_minute=1000)
    ask(key, "job_1", tokens=100)
    settle(key, "job_1", 1500, at=50)
    assert tokens_left(key, at=50) == 0
    assert refusal(key, tokens=1, at=50).retry_after_seconds == 60.75
    assert tokens_left(key, at=111) == 1000


def test_a_job_longer_than_a_minute_is_charged_in_full_at_its_end() -> None:
    key = limited_key(tokens_per_minute=1000)
    ask(key, "job_1", tokens=100)
    ratelimit.client(settings.VALKEY_URL).delete(ratelimit._name(key.pk, "job_1"))  # Valkey forgets it after a minute
    settle(key, "job_1", 700, at=100)
    assert tokens_left(key, at=100) == 300


def test_an_estimate_above_the_limit_passes_alone() -> None:
    key = limited_key(tokens_per_minute=1000)
    assert ask(key, "job_1", tokens=64_000).tokens == Meter(1000, 0, 60.75)
    assert refusal(key, tokens=1).limited == "tokens"
    settle(key, "job_1", 250, at=1)
    assert tokens_left(key, at=1) == 750


def test_jobs_at_a_time_are_counted_until_they_end() -> None:
    key = limited_key(concurrent_jobs=2)
    ask(key, "job_1")
    assert ask(key, "job_2").concurrent_jobs == Meter(2, 0, 0.0)
    refused = refusal(key, "job_3")
    assert (refused.limited, refused.limit) == ("concurrent_jobs", 2)
    assert refused.retry_after_seconds == ratelimit.CONCURRENCY_RETRY_SECONDS
    settle(key, "job_1", 0, at=1)
    ask(key, "job_3", at=1)


def test_the_profile_is_the_most_a_key_may_run_at_a_time() -> None:
    key = limited_key(concurrent_jobs=5000)
    assert key.profile
    assert ratelimit.limits_of(key).concurrent_jobs == key.profile.max_concurrency
    assert ratelimit.limits_of(limited_key(concurrent_jobs=1)).concurrent_jobs == 1


def test_a_slot_nobody_speaks_for_is_free_within_a_minute() -> None:
    key = limited_key(concurrent_jobs=1)
    ask(key, "job_1")
    refusal(key, "job_2", at=59)
    assert ask(key, "job_2", at=60)


def test_a_held_slot_stays_and_a_freed_one_does_not_return() -> None:
    key = limited_key(concurrent_jobs=2)
    ask(key, "job_1")
    ask(key, "job_2")
    settle(key, "job_2", 0, at=5)
    ratelimit.hold(jobs=[(key.pk, "job_1"), (key.pk, "job_2")], now=NOW + 50)
    assert ask(key, "job_3", at=100).concurrent_jobs == Meter(2, 0, 0.0)


def test_a_refused_request_leaves_no_trace() -> None:
    key = limited_key(requests_per_minute=5, tokens_per_minute=100, concurrent_jobs=1)
    before = ask(key, "job_1", tokens=10)
    assert refusal(key, "job_2", tokens=10).state == before
    assert ratelimit.peek(key=key, now=NOW) == before


def test_keys_do_not_share_their_limits() -> None:
    mine, theirs = limited_key(requests_per_minute=1, pk=1), limited_key(requests_per_minute=1, pk=2)
    ask(mine)
    assert ask(theirs)


def test_valkeys_clock_decides_unless_told_otherwise() -> None:
    key = limited_key(requests_per_minute=1)
    assert passes(key)
    assert not passes(key)


def test_nothing_is_kept_of_a_key_that_rests(valkey: ValkeyServer) -> None:
    ratelimit.admit(key=limited_key(requests_per_minute=9), job_id="job_1", tokens=5)
    with valkey.client() as client:
        names = client.keys("*:rate:*")
        assert len(names) == 3
        assert all(0 < client.pttl(name) <= 62_000 for name in names)


def test_an_admission_is_one_round_trip() -> None:
    key = limited_key(requests_per_minute=9)
    ask(key)
    script = ratelimit._script(settings.VALKEY_URL, "admit")
    client = script.registered_client
    with patch.object(client, "execute_command", wraps=client.execute_command) as sent:
        ask(key, "job_1", tokens=10)
    assert sent.call_count == 1


def test_parallel_threads_pass_exactly_the_limit() -> None:
    key = limited_key(requests_per_minute=50, concurrent_jobs=20)
    together = Barrier(20)

    def try_ten(number: int) -> int:
        together.wait()
        return sum(passes(key) for _ in range(10))

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(try_ten, range(20))) == 50


def test_parallel_threads_take_exactly_the_slots() -> None:
    key = limited_key(concurrent_jobs=7)
    together = Barrier(20)

    def try_ten(number: int) -> int:
        together.wait()
        return sum(passes(key, f"job_{number}_{turn}") for turn in range(10))

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(try_ten, range(20))) == 7


def test_requests_pass_while_valkey_is_away_and_the_log_says_so(
    private_valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "VALKEY_URL", private_valkey.url)
    key = limited_key(requests_per_minute=1, concurrent_jobs=1)
    ask(key, "job_1")
    private_valkey.kill()
    assert ask(key, "job_2") == RateState()
    settle(key, "job_2", 5, at=1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # and not one for every request
    private_valkey.start()
    ratelimit._away_until = 0.0
    assert refusal(key, "job_3").limited == "requests"
