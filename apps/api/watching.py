"""A chat job as the answer of the request that submitted it: whole, or as a stream, in whatever words a wire has."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.api import outcomes, sse
from apps.api.answers import answer
from apps.api.errors import problem_of
from apps.api.feeds import Feed
from apps.api.problems import Problem
from apps.api.visits import Visit
from apps.jobs.events import Event
from apps.jobs.following import follow_batches

HEADERS_WITHIN_SECONDS = 10.0
"""A stream whose first token takes longer begins without it: proxies cut connections that say nothing."""

_TOLD = frozenset({"token", "tool_use"})
"""Events after which a failure is one in the middle of an answer."""


class Stream(Protocol):
    """Writes a stream's bytes."""

    def first(self) -> bytes:
        """Before anything is known."""

    def events(self, batch: Sequence[Event]) -> bytes:
        """What these events of the job say."""

    def last(self, job: dict[str, Any]) -> bytes:
        """The end of a job that was done."""

    def failed(self, problem: Problem) -> bytes:
        """The end of one that was not."""

    def ping(self) -> bytes:
        """A sign of life in a silence."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a wire says it."""

    whole: Callable[[dict[str, Any]], object]
    """The body of a whole answer, from the job object."""
    failure: Callable[[Problem], HttpResponse]
    stream: Stream


async def whole(job_id: str, words: Words, visit: Visit) -> HttpResponseBase:
    """The answer once the job has ended. Failures are answers too."""
    try:
        event = await _terminal_event(job_id)
        visit.job_ended = True
        if event.type == "error":
            return words.failure(outcomes.of_job(event.data))
        return answer(words.whole(event.data))
    except Exception as error:
        return words.failure(problem_of(error))


async def _terminal_event(job_id: str) -> Event:
    async with aclosing(follow_batches(job_id)) as batches:
        async for batch in batches:
            if batch[-1].terminal:
                return batch[-1]
    raise RuntimeError(f"following {job_id} ended before the job did")


async def streamed(job_id: str, words: Words, visit: Visit) -> HttpResponseBase:
    """A stream, or the failure of a job that failed before its first token."""
    try:
        feed = Feed(follow_batches(job_id))
        visit.closers.append(feed.close)
        begun = await _beginning(feed)
    except Exception as error:
        return words.failure(problem_of(error))
    if begun and begun[-1].type == "error" and not any(event.type in _TOLD for event in begun):
        visit.job_ended = True
        return words.failure(outcomes.of_job(begun[-1].data))
    body = _body(job_id, feed, begun, words.stream, visit)
    return StreamingHttpResponse(body, content_type=sse.CONTENT_TYPE, headers=sse.HEADERS)


async def _beginning(feed: Feed) -> list[Event]:
    """The first events, up to one that shows how it goes, so that an early failure gets its status."""
    begun: list[Event] = []
    deadline = time.monotonic() + HEADERS_WITHIN_SECONDS
    while all(event.type == "started" for event in begun) and (left := deadline - time.monotonic()) > 0:
        batch = await feed.next(seconds=left)
        if not batch:
            break
        begun += batch
    return begun


async def _body(job_id: str, feed: Feed, begun: list[Event], stream: Stream, visit: Visit) -> AsyncGenerator[bytes]:
    """What has begun, then what comes, with a sign of life in silences. Never raises."""
    written, batch = stream.first(), begun
    try:
        while True:
            written += stream.events(batch)
            if batch and batch[-1].terminal:
                visit.job_ended = True
                yield written + _end(batch[-1], stream)
                return
            if written:
                yield written
            following = await feed.next(seconds=sse.PING_SECONDS)
            if following is None:
                raise RuntimeError(f"following {job_id} ended before the job did")
            written, batch = b"" if following else stream.ping(), following
    except Exception as error:
        yield stream.failed(problem_of(error))


def _end(event: Event, stream: Stream) -> bytes:
    return stream.last(event.data) if event.type == "done" else stream.failed(outcomes.of_job(event.data))
