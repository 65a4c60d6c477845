"""The client for asyncio: the same as in `sync`, awaited.

As the two do the same in different words, `tests/client` goes through both with the same tests.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx2

from claude_code_client import calls, transport
from claude_code_client.calls import BatchOptions, Call, ChatOptions, Prompt, TaskOptions
from claude_code_client.errors import WaitedTooLong
from claude_code_client.receiving import Received
from claude_code_client.results import Batch, Completion, Event, Job
from claude_code_client.retrying import pause
from claude_code_client.sse import Reader
from claude_code_client.usage import Usage

T = TypeVar("T")
POLL_SECONDS = 2.0


class AsyncClaudeClient:
    """A client of one service with one key. Close it, or use it in an `async with`.

    timeout: seconds that one answer may take. max_retries: how often a request is sent again when the connection breaks
    or the service says that it may; nothing is done twice by that.
    """

    def __init__(self, base_url: str, api_key: str, *, timeout: float = 600.0, max_retries: int = 3) -> None:
        self._http = httpx2.AsyncClient(**transport.settings(base_url, api_key, timeout))
        self._most_tries = max_retries + 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def complete(self, prompt: Prompt, **options: Unpack[ChatOptions]) -> Completion:
        """Ask, and wait for the whole answer. Raises ApiError or ConnectionFailed, as everything here does."""
        return await self._send(calls.complete(prompt, options))

    def stream(self, prompt: Prompt, **options: Unpack[ChatOptions]) -> "AsyncStream":
        """Ask, and get the answer token by token: `async for token in client.stream("…")`. Survives breaks."""
        return AsyncStream(self, calls.stream(prompt, options))

    async def agentic_task(
        self, description: str, *, on_event: Callable[[Event], object] | None = None, **options: Unpack[TaskOptions]
    ) -> Job:
        """Have something done with tools, agents and skills, and wait for its end. Raises JobFailed with its job.

        `on_event` is called with each event: what is said, which tools are used, what they say.
        """
        async for event in self.task_events(description, **options):
            if on_event:
                on_event(event)
            if event.terminal:
                return transport.ended(event)
        raise AssertionError("events end with a terminal one")

    async def task_events(self, description: str, **options: Unpack[TaskOptions]) -> AsyncIterator[Event]:
        """The same, event by event; the last one is `done` or `error`."""
        submitted = await self.submit_task(description, **options)
        async for event in self.follow(submitted.id):
            yield event

    async def submit_task(self, description: str, **options: Unpack[TaskOptions]) -> Job:
        """The same, without waiting: come back with `follow`, `wait` or `job`."""
        return await self._send(calls.task(description, options))

    async def batch(
        self,
        items: Sequence[str | Mapping[str, Any]],
        *,
        wait_seconds: float | None = None,
        **options: Unpack[BatchOptions],
    ) -> Batch:
        """Ask many things and wait for all: prompts, or objects with prompt, messages or description.

        Results are in order, each with its own status; an item that fails harms no other. Raises WaitedTooLong.
        """
        submitted = await self.submit_batch(items, **options)
        return await self.wait_batch(submitted.id, wait_seconds=wait_seconds)

    async def submit_batch(self, items: Sequence[str | Mapping[str, Any]], **options: Unpack[BatchOptions]) -> Batch:
        """The same, without waiting: come back with `wait_batch` or `get_batch`."""
        return await self._send(calls.batch(items, options))

    async def wait_batch(self, batch_id: str, *, wait_seconds: float | None = None) -> Batch:
        """Wait for the end of a batch. Raises WaitedTooLong; the batch goes on."""
        until = None if wait_seconds is None else time.monotonic() + wait_seconds
        seconds = 0.1
        while not (batch := await self._send(calls.get_batch(batch_id, after=None))).ended:
            if until is not None and time.monotonic() >= until:
                raise WaitedTooLong("batch", batch_id)
            await asyncio.sleep(seconds)
            seconds = min(seconds * 1.5, POLL_SECONDS)
        return await self._whole(batch)

    async def get_batch(self, batch_id: str) -> Batch:
        """A batch and all results it has so far."""
        return await self._whole(await self._send(calls.get_batch(batch_id, after=None)))

    async def cancel_batch(self, batch_id: str) -> Batch:
        """Stop a batch: what has been answered stays, the rest is not asked."""
        return await self._send(calls.cancel_batch(batch_id))

    async def jobs(self, *, status: str | None = None, model: str | None = None) -> AsyncIterator[Job]:
        """The project's jobs, newest first; further pages are fetched as they are needed."""
        after: str | None = None
        while True:
            query = {"status": status, "model": model, "limit": 100, "after": after}
            page, after = await self._send(calls.jobs(query))
            for each in page:
                yield each
            if after is None:
                return

    async def job(self, job_id: str) -> Job:
        """One job as it is now."""
        return await self._send(calls.job(job_id))

    async def wait(self, job_id: str) -> Job:
        """Wait for a job's end. Raises JobFailed."""
        async for event in self.follow(job_id):
            if event.terminal:
                return transport.ended(event)
        raise AssertionError("events end with a terminal one")

    async def follow(self, job_id: str, *, starting_after: int = 0) -> AsyncIterator[Event]:
        """A job's events, each once, however often the connection breaks; from after a sequence number."""
        seen, tries = starting_after, 0
        while True:
            try:
                async with self._open(calls.follow(job_id, starting_after=seen)) as response:
                    async for data in _events(response):
                        event = transport.told(data)
                        if event.sequence_number > seen:
                            seen, tries = event.sequence_number, 0
                            yield event
                        if event.terminal:
                            return
                    if response.status_code == httpx2.codes.NO_CONTENT:
                        return
            except httpx2.TransportError as error:
                if tries + 1 >= self._most_tries:
                    raise transport.gone(error, tries + 1) from error
            tries += 1
            await asyncio.sleep(pause(tries) or 0)

    async def cancel(self, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        return await self._send(calls.cancel(job_id))

    async def download(self, job_id: str, name: str) -> bytes:
        """A file that a task left."""
        return await self._send(calls.artifact(job_id, name))

    async def usage(
        self,
        *,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
        group_by: str | Sequence[str] = "day",
        tz: str | None = None,
        model: str | None = None,
        kind: str | None = None,
    ) -> Usage:
        """Requests, tokens and cost of the project, by steps of time (hour, day, week, month), key, model, kind …"""
        asked = {"since": since, "until": until, "group_by": group_by, "tz": tz, "model": model, "kind": kind}
        return await self._send(calls.usage(asked))

    async def capabilities(self) -> Any:
        """The tools, agents, skills and models that this key may use, and its limits."""
        return await self._send(calls.look("/v1/capabilities"))

    async def models(self) -> list[str]:
        """The names of the models that this key may use."""
        return [model["id"] for model in (await self._send(calls.look("/v1/models")))["data"]]

    async def explain(self, body: Mapping[str, Any]) -> Any:
        """Would this chat or task be taken, by which rules, at what cost? Nothing is done."""
        return await self._send(calls.ask("/v1/explain", body))

    async def _whole(self, batch: Batch) -> Batch:
        """With the further pages of its results."""
        results, page = list(batch.results), batch
        while page.raw.get("has_more") and page.results:
            page = await self._send(calls.get_batch(batch.id, after=page.results[-1].index))
            results += page.results
        return Batch(
            batch.id, batch.status, batch.total, batch.completed, batch.failed, batch.cost_usd, results, batch.raw
        )

    async def _send(self, call: Call[T]) -> T:
        tries = 0
        while True:
            tries += 1
            try:
                response = await self._http.request(**transport.request(call))
            except httpx2.TransportError as error:
                wait = pause(tries)
                if tries >= self._most_tries or wait is None:
                    raise transport.gone(error, tries) from error
            else:
                if response.is_success:
                    return call.read(response.content if call.read is bytes else transport.json_of(response.text))
                wait = pause(tries, status=response.status_code, headers=response.headers)
                if tries >= self._most_tries or wait is None:
                    raise transport.refusal(response.status_code, response.text, response.headers)
            await asyncio.sleep(wait)

    @asynccontextmanager
    async def _open(self, call: Call[Any]) -> AsyncIterator[httpx2.Response]:
        """An answer that is read as it comes. Tries again until there is one; raises ApiError, TransportError."""
        tries = 0
        while True:
            tries += 1
            async with self._http.stream(**transport.request(call, stream=True)) as response:
                if response.is_success:
                    yield response
                    return
                text = (await response.aread()).decode("utf-8", "replace")
            wait = pause(tries, status=response.status_code, headers=response.headers)
            if tries >= self._most_tries or wait is None:
                raise transport.refusal(response.status_code, text, response.headers)
            await asyncio.sleep(wait)


class AsyncStream:
    """An answer on its way: iterate over it for its tokens, then await `completion()`."""

    def __init__(self, client: AsyncClaudeClient, call: Call[Any]) -> None:
        self._client, self._call = client, call
        self._received = Received()

    @property
    def job_id(self) -> str | None:
        """The job's id, once the answer has begun."""
        return self._received.job_id

    async def completion(self) -> Completion:
        """The whole answer; what has not been read yet is read."""
        if self._received.completion is None:
            async for _ in self:
                pass
        assert self._received.completion is not None
        return self._received.completion

    async def __aiter__(self) -> AsyncIterator[str]:
        tries = 0
        while self._received.completion is None:
            try:
                async for token in self._resumed() if self.job_id else self._first():
                    yield token
            except httpx2.TransportError as error:
                tries += 1
                if tries >= self._client._most_tries:
                    raise transport.gone(error, tries) from error
                await asyncio.sleep(pause(tries) or 0)

    async def _first(self) -> AsyncIterator[str]:
        async with self._client._open(self._call) as response:
            self._received.begin(response.headers)
            async for chunk in _events(response):
                for text in self._received.chunk(chunk, response.headers):
                    yield text
        self._received.end()

    async def _resumed(self) -> AsyncIterator[str]:
        """After a break: the job's own events, without what has been said."""
        async for event in self._client.follow(self._received.resume()):
            for text in self._received.event(event):
                yield text


async def _events(response: httpx2.Response) -> AsyncIterator[Any]:
    reader = Reader()
    async for line in response.aiter_lines():
        if (data := reader.take(line)) is not None:
            yield data
