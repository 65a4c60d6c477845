"""django-q2's Redis broker, for rings that mean nothing but "look at the queue"."""

import contextlib
import time

import redis
from django_q.brokers.redis_broker import Redis as RedisBroker

from apps.jobs import valkey

MAX_RINGS = 200
"""More rings than this tell a worker nothing new."""
_WAIT_SECONDS = 1
_RETRY_SECONDS = 0.2


class RingBroker(RedisBroker):  # type: ignore[misc]  # django-q2 ships no types
    """Keeps the queue of rings short, and outlives Valkey: the original sleeps ten seconds and ends its process."""

    def enqueue(self, task: str) -> int:
        """Add a ring; beyond MAX_RINGS the oldest are forgotten."""
        pipe = self.connection.pipeline(transaction=False)
        pipe.rpush(self.list_key, task)
        pipe.ltrim(self.list_key, -MAX_RINGS, -1)
        return int(pipe.execute()[0])

    def dequeue(self) -> list[tuple[None, str]] | None:
        """The next ring, or None after a second without one, at once when Valkey is away."""
        try:
            ring = self.connection.blpop(self.list_key, _WAIT_SECONDS)
        except valkey.ERRORS:
            time.sleep(_RETRY_SECONDS)
            return None
        return [(None, ring[1])] if ring else None

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Note how the cluster is, which it does twice a second; while Valkey is away that would fill the log."""
        with contextlib.suppress(*valkey.ERRORS):
            super().set_stat(key, value, timeout)

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        """The process's client."""
        return valkey.client()
