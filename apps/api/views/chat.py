"""`POST /v1/chat/completions`: submit a job and watch it, whole or as a stream."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import outcomes, sse
from apps.api.answers import answer, failure
from apps.api.base import EventStreamRenderer, View
from apps.api.body import read_json
from apps.api.errors import problem_of
from apps.api.feeds import Feed
from apps.api.later import Later
from apps.api.openai.answers import completion
from apps.api.openai.chunks import Chunks
from apps.api.openai.requests import read
from apps.api.schema.chat import chat_schema
from apps.api.visits import Visit
from apps.jobs.events import Event
from apps.jobs.following import follow_batches

HEADERS_WITHIN_SECONDS = 10.0
"""A stream whose first token takes longer begins without it: proxies cut connections that say nothing."""

_TOLD = ("token", "tool_use")
"""Events after which a failure is one in the middle of an answer."""


class ChatCompletions(View):
    """OpenAI's chat completions."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @chat_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Create a chat completion."""
        reading = read(read_json(request), default_model=self.default_model)
        visit, job = self.visit, self.submit(reading.chat)
        self.end_with_client(job)
        created = int(job.created_at.timestamp())
        chunks = Chunks(job.id, job.model, created, reading.include_usage, reading.include_reasoning)
        response = Later(partial(_streamed if reading.stream else _whole, chunks, visit))
        if reading.ignored:
            response.headers["x-ignored-params"] = ", ".join(reading.ignored)
        return response


async def _whole(chunks: Chunks, visit: Visit) -> HttpResponseBase:
    event = await _terminal_event(chunks.job_id)
    visit.job_ended = True
    if event.type == "error":
        return failure(outcomes.of_job(event.data))
    return answer(completion(event.data, created=chunks.created, reasoning=chunks.include_reasoning))


async def _terminal_event(job_id: str) -> Event:
    async with aclosing(follow_batches(job_id)) as batches:
        async for batch in batches:
            if batch[-1].terminal:
                return batch[-1]
    raise RuntimeError(f"following {job_id} ended before the job did")


async def _streamed(chunks: Chunks, visit: Visit) -> HttpResponseBase:
    """A stream, or the failure of a job that failed before its first token."""
    feed = Feed(follow_batches(chunks.job_id))
    visit.closers.append(feed.close)
    begun = await _beginning(feed)
    if begun and begun[-1].type == "error" and not any(event.type in _TOLD for event in begun):
        visit.job_ended = True
        return failure(outcomes.of_job(begun[-1].data))
    body = _chunks(feed, begun, chunks, visit)
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


async def _chunks(feed: Feed, begun: list[Event], chunks: Chunks, visit: Visit) -> AsyncGenerator[bytes]:
    """The body of a stream: what has begun, then what comes, with a ping in silences. Never raises."""
    written, batch = chunks.first(), begun
    try:
        while True:
            written += chunks.events(batch)
            if batch and batch[-1].terminal:
                visit.job_ended = True
                yield written + _end(batch[-1], chunks)
                return
            if written:
                yield written
            following = await feed.next(seconds=sse.PING_SECONDS)
            if following is None:
                raise RuntimeError(f"following {chunks.job_id} ended before the job did")
            written, batch = b"" if following else sse.PING, following
    except Exception as error:
        yield chunks.failed(problem_of(error))


def _end(event: Event, chunks: Chunks) -> bytes:
    return chunks.last(event.data) if event.type == "done" else chunks.failed(outcomes.of_job(event.data))
