"""A job's events as an interface consumes them: with a sign of life while the job is silent."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from apps.jobs.events import Event


class Feed:
    """Reads batches of events ahead of its consumer, who gets whatever has come since it last looked.

    Use it on one event loop, with one consumer. `close` must be called. Hundreds of these run at fifty batches a
    second, so a wait costs one future, and one timer serves all waits.
    """

    def __init__(self, source: AsyncGenerator[Sequence[Event]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: list[Event] = []
        self._failure: Exception | None = None
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self._silent_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task = self._loop.create_task(self._read(source))

    async def _read(self, source: AsyncGenerator[Sequence[Event]]) -> None:
        try:
            async with aclosing(source) as batches:
                async for batch in batches:
                    self._events.extend(batch)
                    self._wake()
        except Exception as error:
            self._failure = self._failure or error
        finally:
            self._ended = True
            self._wake()

    async def next(self, *, seconds: float) -> list[Event] | None:
        """All events that have come, waiting at most `seconds` for the first: then []. None after the last one.

        Raises what the source raised.
        """
        if not self._events and not self._ended:
            self._silent_until = self._loop.time() + seconds
            if self._timer is None or self._timer.when() > self._silent_until:
                self._set_timer()
            self._waiting = self._loop.create_future()
            await self._waiting
        if self._events:
            batch, self._events = self._events, []
            return batch
        if self._failure:
            raise self._failure
        return None if self._ended else []

    def fail(self, error: Exception) -> None:
        """Let `next` raise `error` once it has given what had come until now."""
        self._failure, self._ended = error, True
        self._wake()
        self.close()

    def close(self) -> None:
        """Stop reading. Safe to call twice."""
        self._task.cancel()
        if self._timer:
            self._timer.cancel()

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._silent_until, self._time_is_up)

    def _time_is_up(self) -> None:
        """The timer: wakes a wait that is over, and else looks again when the present one will be."""
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return
        if self._loop.time() >= self._silent_until:
            self._wake()
        else:
            self._set_timer()
