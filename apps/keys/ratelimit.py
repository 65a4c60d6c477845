"""Rate limits, kept in Valkey: the same for every thread, process and node. One round trip for an admission.

Any 60 seconds hold at most the limit of requests and tokens; refused requests do not count. Tokens are charged as an
estimate when a job is admitted and corrected when it ends. A job's slot is a lease: whoever dies leaks none.

While Valkey is away, requests pass and the log says so: pacing is a courtesy to neighbours, and what must never be
exceeded (money, permissions) is held by the database and the egress. Refusing everybody would turn the loss of live
tokens into an outage. After a failure it is not asked again for a second, so nobody waits for it in a queue.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from apps.keys.models import ApiKey
from apps.keys.rates import Limited, Limits, Meter, RateLimited, RateState
from apps.permissions.models import Profile

SLOT_LEASE_SECONDS = 60.0
"""How long a job's slot is held without a word; `hold` prolongs it. No shorter than the window, see settle.lua."""
CONCURRENCY_RETRY_SECONDS = 1.0
AWAY_SECONDS = 1.0
_TIMEOUT_SECONDS = 0.5
_AT_ONCE = 500
_REFUSALS: tuple[Limited, ...] = ("requests", "tokens", "concurrent_jobs")

logger = logging.getLogger(__name__)
_away_until = 0.0


def limits_of(key: ApiKey) -> Limits:
    """The key's own limits; of jobs at a time it gets the smaller of its own and its profile's."""
    profile = key.profile or Profile.objects.default()
    jobs = min(filter(None, (key.concurrent_jobs, profile.max_concurrency)))
    return Limits(key.requests_per_minute, key.tokens_per_minute, jobs)


def admit(
    *, key: ApiKey, job_id: str, tokens: int, requests: int = 1, slot: bool = True, now: float | None = None
) -> RateState:
    """Count a request, charge its estimated tokens and take a slot for its job: all of it or, refused, nothing.

    Without a `job_id` no slot is taken and the tokens stay as charged; with `slot` False only no slot is taken. An
    estimate above the whole limit passes when nothing else was used: a guess must not shut a key out for ever. `now` is
    in Unix seconds; by default Valkey's own clock decides. Raises RateLimited.
    """
    limits = limits_of(key)
    lease = SLOT_LEASE_SECONDS if slot and job_id else 0
    state, refusal, wait = _ask(key.pk, limits, job_id=job_id, tokens=tokens, requests=requests, lease=lease, now=now)
    if refusal is None:
        return state
    limit = {"requests": limits.requests, "tokens": limits.tokens}.get(refusal, limits.concurrent_jobs) or 0
    raise RateLimited(refusal, limit=limit, retry_after_seconds=wait or CONCURRENCY_RETRY_SECONDS, state=state)


def peek(*, key: ApiKey, now: float | None = None) -> RateState:
    """Where the key stands; counts nothing."""
    return _ask(key.pk, limits_of(key), job_id="", tokens=0, requests=0, lease=0, now=now)[0]


def settle_tokens(*, key_id: int, job_id: str, tokens: int, now: float | None = None) -> None:
    """The job has ended: free its slot, and put what it really used in place of the estimate.

    Call it once for every job that ends, however it ends, after the commit; and with 0 tokens when an admitted job
    could not be queued. Never raises: without Valkey there is nothing to correct.
    """
    names = [_name(key_id), _name(key_id, "slots"), _name(key_id, job_id)]
    run("settle", keys=names, args=[_milliseconds(now), job_id, max(0, tokens)])


def hold(*, jobs: Iterable[tuple[int, str]], now: float | None = None) -> None:
    """Prolong the slots of jobs that have not ended: pairs of key's primary key and job id. Never raises."""
    rest = iter(jobs)
    while some := list(islice(rest, _AT_ONCE)):
        names = [_name(key_id, "slots") for key_id, _ in some]
        ids = [job_id for _, job_id in some]
        run("hold", keys=names, args=[_milliseconds(now), int(SLOT_LEASE_SECONDS * 1000), *ids])


def run(script: str, *, keys: Sequence[str], args: Sequence[str | int]) -> Any:
    """What one of `lua/*.lua` answers, or None while Valkey is away. One round trip. Never raises for Valkey's sake."""
    global _away_until  # noqa: PLW0603  one for the process: whoever finds out spares the others the wait
    if time.monotonic() < _away_until:
        return None
    try:
        return _script(settings.VALKEY_URL, script)(keys=keys, args=args)
    except (redis.RedisError, OSError) as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("rate limits are not held: Valkey cannot be asked: %s", error)
        return None


def _ask(
    key_id: int, limits: Limits, *, job_id: str, tokens: int, requests: int, lease: float, now: float | None
) -> tuple[RateState, Limited | None, float]:
    """Where the key stands afterwards, what refuses, and the seconds until it would not."""
    names = [_name(key_id), _name(key_id, "slots"), _name(key_id, job_id)]
    most = [-1 if limit is None else limit for limit in (limits.requests, limits.tokens, limits.concurrent_jobs)]
    asked: list[str | int] = [requests, max(0, tokens), job_id, int(lease * 1000)]
    answer = run("admit", keys=names, args=[_milliseconds(now), *most, *asked])
    if answer is None:
        return RateState(), None, 0.0
    refusal, used_requests, requests_reset, used_tokens, tokens_reset, jobs, wait = answer
    state = RateState(
        _meter(limits.requests, used_requests, requests_reset),
        _meter(limits.tokens, used_tokens, tokens_reset),
        _meter(limits.concurrent_jobs, jobs, 0),
    )
    return state, _REFUSALS[refusal - 1] if refusal else None, wait / 1000


def _meter(limit: int | None, used: int, reset_ms: int) -> Meter | None:
    return None if limit is None else Meter(limit, max(0, limit - used), reset_ms / 1000)


def _name(key_id: int, part: str = "window") -> str:
    return f"{settings.VALKEY_PREFIX}rate:{key_id}:{part}"


def _milliseconds(now: float | None) -> int:
    return 0 if now is None else round(now * 1000)


@lru_cache(maxsize=16)
def _script(url: str, name: str) -> Script:
    folder = Path(__file__).parent / "lua"
    text = (folder / "window.lua").read_text() + (folder / f"{name}.lua").read_text()
    return client(url).register_script(text)


@lru_cache(maxsize=4)
def client(url: str) -> redis.Redis:
    """One retry, as the pool may hold connections that died with the Valkey before."""
    retry = Retry(NoBackoff(), retries=1)
    timeouts = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
    return redis.Redis.from_url(url, decode_responses=True, protocol=2, retry=retry, **timeouts)
