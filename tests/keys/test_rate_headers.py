import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.keys.rates import Meter, RateLimited, RateState, duration


def test_headers_are_openais() -> None:
    state = RateState(Meter(60, 59, 1.0), Meter(150_000, 149_984, 360.0), Meter(5, 4, 0.0))
    assert state.headers() == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }


def test_a_limit_that_is_not_there_has_no_headers() -> None:
    assert RateState().headers() == {}
    assert set(RateState(tokens=Meter(1, 1, 0.0)).headers()) == {
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    }


def test_a_refusal_says_when_to_try_again_in_every_way_that_sdks_read() -> None:
    state = RateState(requests=Meter(60, 0, 12.5))
    error = RateLimited("requests", limit=60, retry_after_seconds=0.2504, state=state)
    assert error.headers() == {
        "Retry-After": "1",
        "retry-after-ms": "251",
        "x-should-retry": "true",
        **state.headers(),
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-1, "0s"),
        (0.02, "20ms"),
        (0.0201, "21ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (61.25, "1m1.25s"),
    ],
)
def test_durations_are_written_like_openais(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 100_000))
def test_no_duration_is_rounded_down(seconds: float) -> None:
    text = duration(seconds)
    if text.endswith("ms"):
        written = int(text[:-2]) / 1000
    else:
        minutes, _, rest = text.rpartition("m")
        written = int(minutes or 0) * 60 + float(rest[:-1])
    assert seconds - 1e-5 <= written <= seconds + 0.0011
