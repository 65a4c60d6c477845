"""Connections to Valkey, and the names of everything this app keeps there."""

import asyncio
import socket
import sys
from functools import lru_cache
from typing import Any, cast

import redis
from django.conf import settings
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT_SECONDS = 5.0
# A peer that vanished is noticed within half a minute, also on a subscription that has nothing to say.
_KEEPALIVE = {
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
    | ({socket.TCP_KEEPIDLE: 10} if sys.platform == "linux" else {}),
}

ERRORS = (redis.RedisError, OSError)
"""What a command raises when Valkey is away, restarting, loading or full."""


def stream(job_id: str) -> str:
    """The job's event log."""
    return f"{settings.VALKEY_PREFIX}job:{job_id}"


def bell(job_id: str) -> str:
    """The channel that rings when the job's event log grew."""
    return f"{settings.VALKEY_PREFIX}bell:{job_id}"


def calls(job_id: str) -> str:
    """The hash of a running job's metered calls."""
    return f"{settings.VALKEY_PREFIX}calls:{job_id}"


def conversation(name: str) -> str:
    """The tier that answers a conversation."""
    return f"{settings.VALKEY_PREFIX}tier:{name}"


def control() -> str:
    """The channel all workers listen to."""
    return f"{settings.VALKEY_PREFIX}control"


def news() -> str:
    """The channel that says in which project something happened."""
    return f"{settings.VALKEY_PREFIX}news"


def workers() -> str:
    """The hash of all workers' heartbeats."""
    return f"{settings.VALKEY_PREFIX}workers"


def client() -> redis.Redis:
    """This process's client, safe for threads and forks. One retry, as the pool may hold connections that died."""
    return _client(settings.VALKEY_URL)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, **_options(url), retry=Retry(NoBackoff(), retries=1))


def async_client() -> Redis:
    """A new client for the running event loop; whoever asked closes it, and says with `patience` how long it waits."""
    url = settings.VALKEY_URL
    return Redis.from_url(url, **_async_options(url))


def subscription_connection() -> AbstractConnection:
    """A bare connection for pub/sub, which may stay silent for ever."""
    url = settings.VALKEY_URL
    pool: Any = ConnectionPool.from_url(url, **_async_options(url))
    return cast(AbstractConnection, pool.make_connection())


def patience() -> asyncio.Timeout:
    """How long an answer may take: `async with patience(): …` raises TimeoutError, which is one of ERRORS."""
    return asyncio.timeout(_TIMEOUT_SECONDS)


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "decode_responses": True,
        "protocol": 2,  # there, pub/sub messages are ordinary replies
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
    }
    return options if url.startswith("unix") else options | _KEEPALIVE


def _async_options(url: str) -> dict[str, Any]:
    # redis-py's own time-out is asyncio.wait_for, which costs more than the command and in Python 3.11 can lose a
    # cancellation. Whoever writes knows how far he came, so nothing is retried behind his back.
    return _options(url) | {"socket_timeout": None, "retry": AsyncRetry(NoBackoff(), retries=0)}
