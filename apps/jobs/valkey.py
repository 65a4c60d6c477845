"""Connections to Valkey, and the names of everything this app keeps there."""

from functools import lru_cache
from typing import Any, cast

import redis
from django.conf import settings
from redis.asyncio import ConnectionPool
from redis.asyncio import Redis as AsyncClient
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

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


def control() -> str:
    """The channel all workers listen to."""
    return f"{settings.VALKEY_PREFIX}control"


def workers() -> str:
    """The hash of all workers' heartbeats."""
    return f"{settings.VALKEY_PREFIX}workers"


def client() -> redis.Redis:
    """This process's client, safe for threads and forks. One retry, as the pool may hold connections that died."""
    return _client(settings.VALKEY_URL)


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, **_options(url), retry=Retry(NoBackoff(), retries=1))


def async_client() -> AsyncClient:
    """A new client for the running event loop; whoever asked closes it. It never retries by itself."""
    url = settings.VALKEY_URL
    return AsyncClient.from_url(url, **_options(url), retry=AsyncRetry(NoBackoff(), retries=0))


def subscription_connection() -> AbstractConnection:
    """A bare connection that may stay silent for ever, for pub/sub."""
    url = settings.VALKEY_URL
    options = {**_options(url), "socket_timeout": None, "retry": AsyncRetry(NoBackoff(), retries=0)}
    return cast(AbstractConnection, ConnectionPool.from_url(url, **options).make_connection())


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "decode_responses": True,
        "protocol": 2,  # there, pub/sub messages are ordinary replies
        "socket_timeout": 5.0,
        "socket_connect_timeout": 5.0,
    }
    return options if url.startswith("unix") else options | {"socket_keepalive": True}
