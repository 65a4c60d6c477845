"""Sending a plan over a connection, as JSON or as server-sent events, with its pauses, cuts and hangs."""

import asyncio
from collections.abc import Iterator

from aiohttp import web

from apps.claude.scripted import answers, wire
from apps.claude.scripted.journal import Entry
from apps.claude.scripted.replies import Plan

_BEFORE_CUT_SECONDS = 0.05


async def send(request: web.Request, entry: Entry, plan: Plan, request_id: str) -> web.StreamResponse:
    """Do what the plan says; the entry tells afterwards what was sent."""
    if plan.delay_seconds:
        await asyncio.sleep(plan.delay_seconds)
    failure = plan.failure
    if failure is not None and failure.after_tokens is None:
        return refuse(
            entry, failure.status, failure.message, request_id, kind=failure.type, retry_after=failure.retry_after
        )
    entry.status = 200
    if plan.stream:
        return await _Stream(request, entry, plan, request_id).send()
    return await _send_message(request, entry, plan, request_id)


def refuse(
    entry: Entry,
    status: int,
    message: str | None,
    request_id: str,
    *,
    kind: str | None = None,
    retry_after: str | None = None,
) -> web.Response:
    """An error in Anthropic's shape."""
    headers = {"request-id": request_id}
    if retry_after is not None:
        headers["retry-after"] = retry_after
    body = wire.dump(wire.error(status, message, kind=kind, request_id=request_id))
    entry.status, entry.bytes_sent = status, len(body)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _send_message(request: web.Request, entry: Entry, plan: Plan, request_id: str) -> web.StreamResponse:
    """The whole answer at once, after the time that a stream would have taken."""
    failure = plan.failure
    if failure is not None:
        return refuse(
            entry, failure.status, failure.message, request_id, kind=failure.type, retry_after=failure.retry_after
        )
    count = sum(block.tokens for block in plan.answer.blocks)
    if pause := plan.first_seconds + (count / plan.rate if plan.rate else 0.0):
        await asyncio.sleep(pause)
    if plan.hang is not None:
        await asyncio.Event().wait()
    body = wire.dump(wire.message(plan.answer))
    entry.usage, entry.tokens_sent = plan.answer.usage, count
    response = web.StreamResponse(headers={"content-type": "application/json", "request-id": request_id})
    response.content_length = len(body)
    await response.prepare(request)
    entry.bytes_sent = len(body) if plan.cut is None else len(body) // 2
    await response.write(body[: entry.bytes_sent])
    if plan.cut is not None:
        _close(request)
    return response


class _EventStream(web.StreamResponse):
    """A response whose headers leave together with the first events: half the system calls of a short answer."""

    _send_headers_immediately = False


class _Stream:
    """One streamed answer. What is due is written together, so an unpaced answer is one write."""

    def __init__(self, request: web.Request, entry: Entry, plan: Plan, request_id: str) -> None:
        self._request, self._entry, self._plan = request, entry, plan
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache", "request-id": request_id}
        self._response = _EventStream(headers=headers)
        self._buffer: list[bytes] = []
        self._tokens = 0

    async def send(self) -> web.StreamResponse:
        """The events up to the end, or up to where the plan breaks the answer."""
        plan, entry = self._plan, self._entry
        await self._response.prepare(self._request)
        self._buffer.append(wire.opening(plan.answer))
        entry.usage = {**plan.answer.usage, "output_tokens": 0}
        if plan.first_seconds:
            await self._pause(plan.first_seconds)
        await self._content()
        if plan.broken_after is not None:
            return await self._break()
        self._buffer.append(wire.closing(plan.answer))
        entry.usage = plan.answer.usage
        await self._flush(last=True)
        return self._response

    async def _content(self) -> None:
        plan, loop = self._plan, asyncio.get_running_loop()
        begun = loop.time()
        for data, count in self._events():
            if plan.rate and count and (wait := begun + self._tokens / plan.rate - loop.time()) > 0:
                await self._pause(wait)
            self._buffer.append(data)
            self._tokens += count

    def _events(self) -> Iterator[tuple[bytes, int]]:
        plan = self._plan
        if plan.broken_after is None:
            return wire.deltas(plan.answer.blocks, plan.piece_tokens)
        blocks, _ = answers.limit(plan.answer.blocks, plan.broken_after)
        return wire.deltas(blocks, plan.piece_tokens, whole=False)

    async def _pause(self, seconds: float) -> None:
        """Wait, pinging if the plan says so; everything due is on the wire before."""
        await self._flush()
        ping, left = self._plan.ping_seconds, seconds
        while ping and left > ping:
            await asyncio.sleep(ping)
            left -= ping
            self._buffer.append(wire.PING)
            await self._flush()
        await asyncio.sleep(left)

    async def _flush(self, *, last: bool = False) -> None:
        data = b"".join(self._buffer)
        self._buffer.clear()
        await (self._response.write_eof(data) if last else self._response.write(data))
        entry = self._entry
        entry.bytes_sent += len(data)
        entry.tokens_sent = self._tokens
        if entry.usage is not None and entry.usage is not self._plan.answer.usage:
            entry.usage = {**entry.usage, "output_tokens": self._tokens}

    async def _break(self) -> web.StreamResponse:
        plan = self._plan
        await self._flush()
        if plan.failure is not None and plan.failure.after_tokens == plan.broken_after:
            failure = plan.failure
            body = wire.error(failure.status, failure.message, kind=failure.type)
            await self._response.write(b"event: error\ndata: " + wire.dump(body) + b"\n\n")
            await self._response.write_eof()
        elif plan.cut == plan.broken_after:
            # Time for the client to take what was sent: one that finds the tokens and the end together drops both.
            await asyncio.sleep(_BEFORE_CUT_SECONDS)
            _close(self._request)
        else:
            while True:
                await self._pause(plan.ping_seconds + 1.0 if plan.ping_seconds else 86_400.0)
        return self._response


def _close(request: web.Request) -> None:
    """Close the connection after what was written, without the proper end of the answer."""
    if request.transport is not None:
        request.transport.close()
