import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from config import lifecycle
from config.draining import Draining, Message, Receive, Send

Run = Callable[[Message, Receive, Send], Awaitable[None]]


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    lifecycle.reset()
    yield
    lifecycle.reset()


class Client:
    """One open request: what it was sent, and a way to let its view go on."""

    def __init__(self, draining: Draining, path: str = "/v1/x", kind: str = "http") -> None:
        self.sent: list[Message] = []
        self.refused = asyncio.Event()
        self._task = asyncio.ensure_future(
            draining({"type": kind, "path": path, "method": "POST"}, self._receive, self._send)
        )

    async def _receive(self) -> Message:
        return {"type": "http.request"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if b"service_restarting" in message.get("body", b""):
            self.refused.set()

    async def done(self) -> None:
        await asyncio.wait_for(self._task, 60)


def view(*messages: dict[str, Any], gate: asyncio.Event) -> Run:
    """Sends the first message, waits for the gate, sends the others."""

    async def run(scope: Message, receive: Receive, send: Send) -> None:
        for message in messages[:1]:
            await send(message)
        await gate.wait()
        for message in messages[1:]:
            await send(message)

    return run


STARTED = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
BODY = {"type": "http.response.body", "body": b"data: x\n\n"}


async def test_an_open_request_may_end_and_the_drain_waits_for_it() -> None:
    gate = asyncio.Event()
    draining = Draining(view(STARTED, BODY, gate=gate))
    client = Client(draining)
    await asyncio.sleep(0)
    drained = asyncio.ensure_future(draining.drain(patience_seconds=30))
    await asyncio.wait_for(lifecycle.draining(), 60)
    assert not drained.done()
    gate.set()
    await asyncio.wait_for(drained, 60)
    await client.done()
    assert client.sent == [STARTED, BODY]


async def test_new_requests_are_refused_but_not_those_of_load_balancers() -> None:
    gate = asyncio.Event()
    gate.set()
    draining = Draining(view(STARTED, BODY, gate=gate))
    lifecycle.begin_draining()
    refused, answered, socket = (
        Client(draining),
        Client(draining, "/ready"),
        Client(draining, "/v1/stream", "websocket"),
    )
    await asyncio.gather(refused.done(), answered.done(), socket.done())
    assert refused.sent[0]["status"] == 503
    assert json.loads(refused.sent[1]["body"])["error"]["code"] == "service_restarting"
    assert answered.sent == [STARTED, BODY]
    assert socket.sent == [{"type": "websocket.close", "code": 1012}]


async def test_what_is_left_when_patience_ends_is_told_in_its_own_way() -> None:
    gate = asyncio.Event()
    streaming, silent = Draining(view(STARTED, BODY, gate=gate)), Draining(view(gate=gate))
    stream, waiting = Client(streaming), Client(silent)
    await asyncio.sleep(0)
    ends = [asyncio.ensure_future(one.drain(patience_seconds=0)) for one in (streaming, silent)]
    await asyncio.wait_for(asyncio.gather(stream.refused.wait(), waiting.refused.wait()), 60)
    gate.set()
    await asyncio.gather(*ends, stream.done(), waiting.done())
    assert stream.sent[1]["body"].startswith(b'event: error\ndata: {"type": "error", "error": {')
    assert len(stream.sent) == 2, "what the view says afterwards is dropped"
    assert waiting.sent[0]["status"] == 503


async def test_draining_wakes_waiters_of_every_loop_and_a_late_one_at_once() -> None:
    other = asyncio.ensure_future(asyncio.to_thread(asyncio.run, lifecycle.draining()))
    mine = asyncio.ensure_future(lifecycle.draining())
    await asyncio.sleep(0)
    lifecycle.begin_draining()
    await asyncio.wait_for(asyncio.gather(mine, other), 60)
    await asyncio.wait_for(lifecycle.draining(), 60)
