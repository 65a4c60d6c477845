"""Watching a job: every event exactly once and in order, from any point, whatever happens to connections and Valkey."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from django.db import Error
from django.utils import timezone
from redis.asyncio import Redis as AsyncClient

from apps.jobs import eventlog, events, ids, valkey
from apps.jobs.closing import transcripts
from apps.jobs.database import DatabaseThreads
from apps.jobs.events import Event
from apps.jobs.perloop import PerLoop
from apps.jobs.pubsub import Subscriber

RECHECK_SECONDS = 3.0
"""A job that was silent for so long is looked up in the database: the bell, or Valkey, may be lost."""
_TICK_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_READ_AT_MOST = 1000


async def follow(job_id: str, *, after: int = 0) -> AsyncGenerator[Event, None]:
    """The job's events with a sequence number above `after`, as they come; ends after the terminal one.

    The caller has checked that the job exists and may be seen. Nothing is buffered for a slow reader.
    """
    async with contextlib.aclosing(follow_batches(job_id, after=after)) as batches:
        async for batch in batches:
            for event in batch:
                yield event


async def follow_batches(job_id: str, *, after: int = 0) -> AsyncGenerator[Sequence[Event], None]:
    """Like `follow`, in lists of all that is there, for those who write many events at once."""
    hub = _hub()
    tail = hub.attach(job_id)
    try:
        while True:
            bell = tail.bell
            if batch := events.after(tail.events, after):
                after = batch[-1].sequence_number
                yield batch
                if batch[-1].terminal:
                    return
            elif tail.ended:
                return
            else:
                await bell.wait()
    finally:
        hub.detach(tail)


@dataclass(eq=False, slots=True)
class _Tail:
    """What this process knows of one job, shared by everybody here who follows it."""

    job_id: str
    events: list[Event] = field(default_factory=list)
    ended: bool = False
    followers: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    news_at: float = field(default_factory=time.monotonic)

    @property
    def last(self) -> int:
        return self.events[-1].sequence_number if self.events else 0

    def extend(self, news: Iterable[Event]) -> None:
        """Take those that continue what is there, up to the terminal one, and wake the followers."""
        before = len(self.events)
        for event in news:
            if not self.ended and event.sequence_number == self.last + 1:
                self.events.append(event)
                self.ended = event.terminal
        if len(self.events) > before:
            self._rung()

    def conclude(self, transcript: Sequence[Event]) -> None:
        """Take the stored transcript of a job that has ended."""
        if self.ended:
            return
        news = [event for event in transcript if event.sequence_number > self.last]
        if not news:  # a log that Valkey lost was closed with fewer events than were seen here
            news = [Event(self.last + 1, transcript[-1].type, transcript[-1].data)]
        self.events.extend(news)
        self.ended = True
        self._rung()

    def _rung(self) -> None:
        self.news_at = time.monotonic()
        bell, self.bell = self.bell, asyncio.Event()
        bell.set()


class _Hub:
    """All following of one event loop: one subscription, one reader, one tail for each job."""

    def __init__(self) -> None:
        self._tails: dict[str, _Tail] = {}
        self._unread: set[str] = set()
        self._wake = asyncio.Event()
        self._look = asyncio.Event()
        self._bells: dict[str, str] = {}
        self._database = DatabaseThreads(1, keep_connections=False)
        self._subscriber = Subscriber(self._heard)
        work = (self._subscriber.run(), self._read_forever(), self._look_forever())
        self._tasks = [asyncio.create_task(each) for each in work]

    def attach(self, job_id: str) -> _Tail:
        """The job's tail, with one more follower."""
        tail = self._tails.get(job_id)
        if tail is None:
            tail = self._tails[job_id] = _Tail(job_id)
            self._bells[valkey.bell(job_id)] = job_id
            self._subscriber.add(valkey.bell(job_id))  # the first read comes once this is effective
            if _may_be_pruned(job_id):
                tail.news_at = 0.0
                self._look.set()
        tail.followers += 1
        return tail

    def detach(self, tail: _Tail) -> None:
        """One follower less; the last one ends the subscription."""
        tail.followers -= 1
        if not tail.followers:
            self._tails.pop(tail.job_id)
            self._bells.pop(valkey.bell(tail.job_id))
            self._subscriber.remove(valkey.bell(tail.job_id))

    def _heard(self, channel: str, _message: str | None) -> None:
        if job_id := self._bells.get(channel):
            self._unread.add(job_id)
            self._wake.set()

    async def _read_forever(self) -> None:
        """Read the logs whose bells rang: all of them in one command."""
        client = valkey.async_client()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                rung, self._unread = self._unread, set()
                try:
                    await self._read(client, [self._tails[job_id] for job_id in rung if job_id in self._tails])
                except valkey.ERRORS:
                    self._unread |= rung
                    await asyncio.sleep(_RETRY_SECONDS)
                    self._wake.set()
        finally:
            await client.aclose()

    async def _read(self, client: AsyncClient, tails: Sequence[_Tail]) -> None:
        by_key = {valkey.stream(tail.job_id): tail for tail in tails if not tail.ended}
        if not by_key:
            return
        async with valkey.patience():
            read = await client.xread({key: f"{tail.last}-0" for key, tail in by_key.items()}, count=_READ_AT_MOST)
        for key, entries in cast("list[tuple[str, list[eventlog.Entry]]]", read):
            by_key[key].extend(eventlog.decode(entries))
            if len(entries) == _READ_AT_MOST:
                self._heard(valkey.bell(by_key[key].job_id), None)

    async def _look_forever(self) -> None:
        """Look after silent jobs: read their logs without a bell, and find out whether they have ended."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._look.wait()
            self._look.clear()
            long_ago = time.monotonic() - RECHECK_SECONDS
            silent = {tail.job_id: tail for tail in self._tails.values() if tail.news_at < long_ago and not tail.ended}
            if silent:
                await self._look_up(silent)

    async def _look_up(self, silent: dict[str, _Tail]) -> None:
        for tail in silent.values():
            tail.news_at = time.monotonic()
            self._heard(valkey.bell(tail.job_id), None)
        try:
            ended = await self._database.run(transcripts, list(silent))
        except Error as error:
            logging.getLogger(__name__).warning("could not look up followed jobs: %s", error)
            return
        for job_id, transcript in ended.items():
            silent[job_id].conclude(transcript)


_hub = PerLoop(_Hub)
"""The running loop's hub. It ends with its loop."""


def _may_be_pruned(job_id: str) -> bool:
    """Whether the job is so old that its log may be gone from Valkey, so that no bell will ever ring."""
    try:
        return timezone.now() - ids.created_at(job_id) > timedelta(seconds=eventlog.KEEP_SECONDS - 60)
    except ValueError:
        return True
