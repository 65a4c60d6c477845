"""How often a key may ask, as values: its limits, where it stands, and the refusal. Pure: no Valkey, no database."""

import math
from dataclasses import dataclass
from typing import Literal

Limited = Literal["requests", "tokens", "concurrent_jobs", "address"]

_MESSAGES: dict[Limited, str] = {
    "requests": "Rate limit reached: this key may make {limit} requests per minute. Try again in {wait}.",
    "tokens": "Rate limit reached: this key may use {limit} tokens per minute. Try again in {wait}.",
    "concurrent_jobs": "This key may run {limit} jobs at a time. Try again when one of them has ended.",
    "address": "Too many requests with invalid API keys from this address. Try again in {wait}.",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may do in any 60 seconds, and at a time. None: no such limit."""

    requests: int | None = None
    tokens: int | None = None
    concurrent_jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """One limit, what is left of it, and after how many seconds all of it is there again."""

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class RateState:
    """Where a key stands. A meter is None where there is no limit, or where Valkey could not be asked."""

    requests: Meter | None = None
    tokens: Meter | None = None
    concurrent_jobs: Meter | None = None

    def refuses(self, *, tokens: int) -> Limited | None:
        """What would refuse a job of so many tokens now, as admit.lua decides it."""
        if self.requests and self.requests.remaining < 1:
            return "requests"
        if self.tokens and self.tokens.remaining < min(tokens, self.tokens.limit):
            return "tokens"
        return "concurrent_jobs" if self.concurrent_jobs and self.concurrent_jobs.remaining < 1 else None

    def headers(self) -> dict[str, str]:
        """OpenAI's `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, of the limits there are."""
        headers: dict[str, str] = {}
        for name, meter in (("requests", self.requests), ("tokens", self.tokens)):
            if meter:
                headers[f"x-ratelimit-limit-{name}"] = str(meter.limit)
                headers[f"x-ratelimit-remaining-{name}"] = str(meter.remaining)
                headers[f"x-ratelimit-reset-{name}"] = duration(meter.reset_seconds)
        return headers


class RateLimited(Exception):
    """Refused for now. Its message is written for callers; `headers()` tell their SDK when to try again."""

    def __init__(self, limited: Limited, *, limit: int, retry_after_seconds: float, state: RateState) -> None:
        super().__init__(_MESSAGES[limited].format(limit=limit, wait=duration(retry_after_seconds)))
        self.limited = limited
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        self.state = state

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, `retry-after-ms` as SDKs prefer it, and where the key stands."""
        return {
            "Retry-After": str(max(1, math.ceil(self.retry_after_seconds))),
            "retry-after-ms": str(max(1, math.ceil(self.retry_after_seconds * 1000))),
            "x-should-retry": "true",
            **self.state.headers(),
        }


def duration(seconds: float) -> str:
    """A time as OpenAI's headers write it: `20ms`, `1.5s`, `1m0s`. Rounded up, so that nobody comes too early."""
    milliseconds = max(0, math.ceil(seconds * 1000 - 1e-6))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest / 1000:g}s"
