"""A job's events as an interface consumes them: with a sign of life while the job is silent."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from apps.jobs.events import Event


class Feed:
    """Reads batches of events ahead of its consumer, who gets whatever has come since it last looked.

    Use it on one event loop. `close` must be called.
    """

    def __init__(self, source: AsyncGenerator[Sequence[Event], None]) -> None:
        self._source = source
        self._events: list[Event] = []
        self._failure: Exception | None = None
        self._ended = False
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            async with aclosing(self._source) as batches:
                async for batch in batches:
                    self._events.extend(batch)
                    self._wake.set()
        except Exception as error:
            self._failure = self._failure or error
        finally:
            self._ended = True
            self._wake.set()

    async def next(self, *, seconds: float) -> list[Event] | None:
        """All events that have come, waiting at most `seconds` for the first: then []. None after the last one.

        Raises what the source raised.
        """
        if not self._wake.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return []
        if self._events:
            batch, self._events = self._events, []
            if not self._ended:
                self._wake.clear()
            return batch
        if self._failure:
            raise self._failure
        return None

    def fail(self, error: Exception) -> None:
        """Let `next` raise `error` once it has given what had come until now."""
        self._failure, self._ended = error, True
        self._wake.set()
        self._task.cancel()

    def close(self) -> None:
        """Stop reading. Safe to call twice."""
        self._task.cancel()
