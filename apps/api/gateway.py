"""The HTTP application: the API on a short way of its own, every other address by Django with its middleware.

An API request hops to a thread once, for what needs the database; the long wait for a model, blocking or streamed, is a
coroutine. So open requests hold neither threads nor connections, and a request costs a third of what it costs through
Django's handler (0.8 instead of 3.9 ms CPU for `/health`, 2.4 instead of 6.5 for a chat).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils import timezone

from apps.api import metrics
from apps.api.answers import failure
from apps.api.disconnect import abandon_later
from apps.api.errors import problem_of, unknown_address
from apps.api.later import Later, note_use
from apps.api.visits import SCOPE_KEY, Visit
from apps.keys import services as keys

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

THREADS = 16
URLS = "apps.api.urls"


def is_api(path: str) -> bool:
    """Whether the address belongs to the API; its documentation pages do not, they need the pages' middleware."""
    return path.startswith("/v1/") or path in ("/v1", "/health", "/ready", "/metrics", "/openapi.json")


class Gateway:
    """Wraps Django's application, which serves the pages. Every answer carries `x-request-id`."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="api")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        visit = Visit()
        stamped = _stamped(send, visit.request_id)
        if not is_api(scope["path"]):
            await self._pages(scope, receive, stamped)
            return
        body = await _read(receive)
        if body is None:
            return
        request = ASGIRequest({**scope, SCOPE_KEY: visit}, BytesIO(body))
        serving = asyncio.ensure_future(self._serve(request, visit, stamped))
        leaving = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            for task in (serving, leaving):
                task.cancel()
            await asyncio.wait({serving, leaving})
            visit.end()
            if visit.job_id and not visit.job_ended:
                abandon_later(visit.job_id)

    async def _serve(self, request: ASGIRequest, visit: Visit, send: Send) -> None:
        response = await self._in_thread(_respond, request)
        if isinstance(response, Later):
            response = await response.settle()
        metrics.count(request, response.status_code)
        await _send(response, send)
        if visit.key and keys.needs_touch(visit.key, now=timezone.now()):
            await self._in_thread(note_use, visit.key)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run `work` to its end even if the client leaves meanwhile: what it began has to be known."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, _with_connection, work, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise


def _with_connection(work: Callable[..., Any], *arguments: Any) -> Any:
    close_old_connections()
    try:
        return work(*arguments)
    finally:
        close_old_connections()


def _respond(request: ASGIRequest) -> HttpResponseBase:
    """The view's answer. Never raises."""
    try:
        match = request.resolver_match = resolve(request.path_info, URLS)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    except Resolver404:
        return unknown_address(request)
    except Exception as error:
        return failure(problem_of(error))
    return response


def _stamped(send: Send, request_id: str) -> Send:
    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return stamped


async def _read(receive: Receive) -> bytes | None:
    """The body, or None if the client leaves before its end. The server bounds its size."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: HttpResponseBase, send: Send) -> None:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    if isinstance(response, StreamingHttpResponse):
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        async with aclosing(aiter(response)) as parts:  # type: ignore[type-var]  # it is an asynchronous generator
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        return
    content = response.content if isinstance(response, HttpResponse) else b""
    headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": content})
