"""The gateway by itself: ASGI messages in, ASGI messages out, a scripted view behind it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.api import gateway
from apps.api.gateway import Gateway, is_api
from apps.api.later import Later
from apps.api.visits import visit_of
from tests.support.waiting import eventually_async

Message = dict[str, Any]


class Visitor:
    """A client of the gateway; what it is sent is in `sent`."""

    def __init__(self, path: str = "/v1/x", body: bytes = b"") -> None:
        self.scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        self.sent: list[Message] = []
        self._says: asyncio.Queue[Message] = asyncio.Queue()
        self._says.put_nowait({"type": "http.request", "body": body})

    async def receive(self) -> Message:
        return await self._says.get()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self._says.put_nowait({"type": "http.disconnect"})

    async def was_heard(self) -> bool:
        """Whether the gateway knows all that this client did."""
        return self._says.empty()

    async def has_begun_to_read(self) -> bool:
        """Whether a part of the body has come."""
        return len(self.sent) > 1

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def pages(scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-page", b"1")]})
    await send({"type": "http.response.body", "body": b"a page"})


@pytest.fixture
def abandoned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were left."""
    jobs: list[str] = []
    monkeypatch.setattr(gateway, "abandon_later", jobs.append)
    return jobs


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[HttpRequest], HttpResponseBase]], None]:
    """`view(function)` makes the function answer every address."""

    class Match:
        args = ()
        route = url_name = "any"
        kwargs: dict[str, str] = {}

    def use(function: Callable[[HttpRequest], HttpResponseBase]) -> None:
        match = Match()
        match.func = staticmethod(function)  # type: ignore[attr-defined]
        monkeypatch.setattr(gateway, "resolve", lambda path, urls: match)

    return use


UseView = Callable[[Callable[[HttpRequest], HttpResponseBase]], None]


async def visit(visitor: Visitor) -> Visitor:
    async with asyncio.timeout(60):
        await Gateway(pages)(visitor.scope, visitor.receive, visitor.send)
    return visitor


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/models", True), ("/v1", True), ("/health", True), ("/ready", True), ("/docs", False), ("/v10", False)],
)
def test_the_api_s_addresses_are_told_from_pages(path: str, expected: bool) -> None:
    assert is_api(path) is expected


async def test_pages_are_django_s_and_get_a_request_id_too() -> None:
    visitor = await visit(Visitor("/admin/"))
    assert visitor.body == b"a page"
    assert visitor.headers[b"x-request-id"].startswith(b"req_")


async def test_an_answer_comes_whole_with_its_length(view: UseView) -> None:
    view(lambda request: HttpResponse(b"hello " + request.body, headers={"x-own": "1"}))
    visitor = await visit(Visitor(body=b"world"))
    assert (visitor.status, visitor.body) == (200, b"hello world")
    assert visitor.headers[b"content-length"] == b"11"
    assert visitor.headers[b"x-own"] == b"1"
    assert visitor.headers[b"x-request-id"].startswith(b"req_")


async def test_a_body_in_pieces_is_put_together(view: UseView) -> None:
    view(lambda request: HttpResponse(request.body))
    visitor = Visitor()
    visitor._says = asyncio.Queue()
    for piece, more in ((b"a", True), (b"b", True), (b"c", False)):
        visitor._says.put_nowait({"type": "http.request", "body": piece, "more_body": more})
    assert (await visit(visitor)).body == b"abc"


async def test_who_leaves_before_the_body_is_over_is_forgotten(view: UseView) -> None:
    view(lambda request: HttpResponse(b"never"))
    visitor = Visitor()
    visitor._says = asyncio.Queue()
    visitor._says.put_nowait({"type": "http.request", "body": b"a", "more_body": True})
    visitor.leave()
    assert (await visit(visitor)).sent == []


async def test_views_run_in_threads_and_waits_on_the_loop(view: UseView) -> None:
    places: list[int] = []

    async def answer() -> HttpResponseBase:
        places.append(threading.get_ident())
        return HttpResponse(b"late")

    def respond(request: HttpRequest) -> HttpResponseBase:
        places.append(threading.get_ident())
        later = Later(answer)
        later.headers["x-job-id"] = "job_1"
        return later

    view(respond)
    visitor = await visit(Visitor())
    assert visitor.body == b"late"
    assert visitor.headers[b"x-job-id"] == b"job_1"
    assert places[0] != threading.get_ident() == places[1]


async def test_a_wait_that_fails_is_an_error_in_the_api_s_shape(view: UseView) -> None:
    async def answer() -> HttpResponseBase:
        raise RuntimeError("something internal")

    view(lambda request: Later(answer))
    visitor = await visit(Visitor())
    assert visitor.status == 500
    assert b'"internal_error"' in visitor.body
    assert b"something internal" not in visitor.body


async def test_a_view_that_fails_is_an_error_in_the_api_s_shape(view: UseView) -> None:
    def respond(request: HttpRequest) -> HttpResponseBase:
        raise RuntimeError("something internal")

    view(respond)
    assert (await visit(Visitor())).status == 500


async def test_who_leaves_a_wait_ends_it_and_leaves_the_job(view: UseView, abandoned: list[str]) -> None:
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def answer() -> HttpResponseBase:
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    def respond(request: HttpRequest) -> HttpResponseBase:
        visit_of(request).job_id = "job_1"
        return Later(answer)

    view(respond)
    visitor = Visitor()
    visiting = asyncio.create_task(visit(visitor))
    await waiting.wait()
    visitor.leave()
    await visiting
    assert ended.is_set()
    assert visitor.sent == []
    assert abandoned == ["job_1"]


async def test_who_leaves_while_the_job_is_being_made_leaves_it_all_the_same(
    view: UseView, abandoned: list[str]
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def respond(request: HttpRequest) -> HttpResponseBase:
        inside.set()
        go_on.wait(60)
        visit_of(request).job_id = "job_1"
        return HttpResponse(b"made")

    view(respond)
    visitor = Visitor()
    visiting = asyncio.create_task(visit(visitor))
    await asyncio.to_thread(inside.wait, 5)
    visitor.leave()
    await eventually_async(visitor.was_heard)
    assert abandoned == []
    go_on.set()
    await visiting
    assert abandoned == ["job_1"]


async def test_a_stream_that_is_left_is_closed(view: UseView, abandoned: list[str]) -> None:
    closed: list[str] = []

    async def parts() -> Any:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.append("generator")

    def respond(request: HttpRequest) -> HttpResponseBase:
        visit_of(request).job_id = "job_1"
        visit_of(request).closers.append(lambda: closed.append("closer"))
        return StreamingHttpResponse(parts(), content_type="text/event-stream")

    view(respond)
    visitor = Visitor()
    visiting = asyncio.create_task(visit(visitor))
    await eventually_async(visitor.has_begun_to_read)
    visitor.leave()
    await visiting
    assert closed == ["generator", "closer"]
    assert abandoned == ["job_1"]


async def test_a_job_that_ended_is_not_left(view: UseView, abandoned: list[str]) -> None:
    def respond(request: HttpRequest) -> HttpResponseBase:
        visit_of(request).job_id = "job_1"
        visit_of(request).job_ended = True
        return HttpResponse(b"done")

    view(respond)
    await visit(Visitor())
    assert abandoned == []
