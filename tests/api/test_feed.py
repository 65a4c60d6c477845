import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from apps.api.feeds import Feed
from apps.jobs.events import Event


def token(number: int) -> Event:
    return Event(number, "token", {"text": str(number)})


class Tap:
    """A source of batches that a test opens and closes."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[Sequence[Event] | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def flow(self) -> AsyncGenerator[Sequence[Event], None]:
        try:
            while (batch := await self.batches.get()) is not None:
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            self.closed.set()


async def test_events_come_in_order_and_then_none() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    for batch in ([token(1)], [token(2), token(3)], None):
        tap.batches.put_nowait(batch)
    seen: list[int] = []
    while (batch := await feed.next(seconds=5)) is not None:
        seen += [event.sequence_number for event in batch]
    assert seen == [1, 2, 3]
    assert await feed.next(seconds=5) is None


async def test_a_slow_consumer_gets_everything_at_once() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    for number in range(1, 101):
        tap.batches.put_nowait([token(number)])
    tap.batches.put_nowait(None)
    await tap.closed.wait()
    batch = await feed.next(seconds=5)
    assert batch is not None
    assert len(batch) == 100


async def test_silence_is_an_empty_batch_and_loses_nothing() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    assert await feed.next(seconds=0.01) == []
    assert await feed.next(seconds=0.01) == []
    tap.batches.put_nowait([token(1)])
    assert await feed.next(seconds=5) == [token(1)]
    feed.close()


async def test_a_failure_of_the_source_comes_after_what_it_gave() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    tap.batches.put_nowait([token(1)])
    tap.batches.put_nowait(ConnectionError("gone"))
    await tap.closed.wait()
    assert await feed.next(seconds=5) == [token(1)]
    with pytest.raises(ConnectionError):
        await feed.next(seconds=5)


async def test_failing_a_feed_wakes_its_consumer_and_closes_the_source() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    waiting = asyncio.create_task(feed.next(seconds=5))
    await asyncio.sleep(0)
    feed.fail(PermissionError("revoked"))
    with pytest.raises(PermissionError):
        await waiting
    async with asyncio.timeout(60):
        await tap.closed.wait()


async def test_closing_a_feed_closes_its_source() -> None:
    tap = Tap()
    feed = Feed(tap.flow())
    await feed.next(seconds=0.01)
    feed.close()
    feed.close()
    async with asyncio.timeout(60):
        await tap.closed.wait()
