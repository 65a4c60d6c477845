"""`POST /v1/chat/completions`: submit a job and watch it, whole or as a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import outcomes, sse
from apps.api.base import EventStreamRenderer, View, answer, failure, read_json, release_connections
from apps.api.entitlements import require_model
from apps.api.errors import problem_of
from apps.api.feeds import Feed
from apps.api.openai.answers import Chunks, completion
from apps.api.openai.requests import Reading, read
from apps.api.schema.chat import chat_schema
from apps.api.visits import Visit
from apps.jobs import services as jobs
from apps.jobs.events import Event
from apps.jobs.following import follow_batches

HEADERS_WITHIN_SECONDS = 10.0
"""A stream whose first token takes longer begins without it: proxies cut connections that say nothing."""
CLIENT_GONE = 499


class ChatCompletions(View):
    """OpenAI's chat completions."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @chat_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Create a chat completion."""
        reading = read(read_json(request), default_model=settings.DEFAULT_MODEL)
        require_model(self.caller, reading.chat.model)
        visit, now = self.visit, timezone.now()
        job = jobs.submit(key=self.caller, request=reading.chat, request_id=visit.request_id, now=now)
        visit.job_id = job.id
        release_connections()
        respond = _streamed if reading.stream else _whole
        response = respond(job.id, now, reading, visit)
        response.headers["x-job-id"] = job.id
        if reading.ignored:
            response.headers["x-ignored-params"] = ", ".join(reading.ignored)
        return response


def _whole(job_id: str, now: datetime, reading: Reading, visit: Visit) -> HttpResponseBase:
    event = async_to_sync(_last_event)(job_id, visit)
    if event is None:
        return HttpResponse(status=CLIENT_GONE)
    if event.type == "error":
        return failure(outcomes.of_job(event.data))
    return answer(completion(event.data, created=int(now.timestamp())))


async def _last_event(job_id: str, visit: Visit) -> Event | None:
    """The job's terminal event, or None if the client leaves before it."""
    waiting = asyncio.ensure_future(_until_terminal(job_id))
    leaving = asyncio.ensure_future(visit.gone.wait())
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            return None
        event = waiting.result()
        visit.job_ended = True
        return event
    finally:
        waiting.cancel()
        leaving.cancel()


async def _until_terminal(job_id: str) -> Event:
    async with aclosing(follow_batches(job_id)) as batches:
        async for batch in batches:
            if batch[-1].terminal:
                return batch[-1]
    raise RuntimeError(f"following {job_id} ended before the job did")


def _streamed(job_id: str, now: datetime, reading: Reading, visit: Visit) -> HttpResponseBase:
    chunks = Chunks(job_id, reading.chat.model, int(now.timestamp()), reading.include_usage)
    feed, begun = async_to_sync(_open)(job_id, visit)
    if begun and begun[-1].type == "error" and not any(event.type == "token" for event in begun):
        visit.job_ended = True
        return failure(outcomes.of_job(begun[-1].data))
    body = _chunks(feed, begun, chunks, visit)
    return StreamingHttpResponse(body, content_type=sse.CONTENT_TYPE, headers=sse.HEADERS)


async def _open(job_id: str, visit: Visit) -> tuple[Feed, list[Event]]:
    """The feed and its first events, up to one that shows how it goes, so that an early failure gets its status."""
    feed = Feed(follow_batches(job_id))
    visit.closers.append(feed.close)
    begun: list[Event] = []
    deadline = asyncio.get_running_loop().time() + HEADERS_WITHIN_SECONDS
    while not visit.gone.is_set() and all(event.type == "started" for event in begun):
        left = deadline - asyncio.get_running_loop().time()
        batch = await feed.next(seconds=left) if left > 0 else []
        if not batch:
            break
        begun += batch
    return feed, begun


async def _chunks(feed: Feed, begun: list[Event], chunks: Chunks, visit: Visit) -> AsyncIterator[bytes]:
    """The body of a stream: what has begun, then what comes, with a ping in silences. Never raises."""
    written, batch = chunks.first(), begun
    try:
        while True:
            written += chunks.texts([str(event.data["text"]) for event in batch if event.type == "token"])
            if batch and batch[-1].terminal:
                visit.job_ended = True
                yield written + _end(batch[-1], chunks)
                return
            if written:
                yield written
            following = await feed.next(seconds=sse.PING_SECONDS)
            if following is None:
                raise RuntimeError("the feed ended before the job did")
            written, batch = b"" if following else sse.PING, following
    except Exception as error:
        yield chunks.failed(problem_of(error))


def _end(event: Event, chunks: Chunks) -> bytes:
    return chunks.last(event.data) if event.type == "done" else chunks.failed(outcomes.of_job(event.data))
