"""The outermost ASGI layer: while the process drains, nothing new comes in and WebSockets are told to come back."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from config import lifecycle

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

SERVICE_RESTART = 1012
# Load balancers must see the answer of these until the end.
ALWAYS_ANSWERED = ("/health", "/ready", "/metrics")


class Draining:
    """Wraps an ASGI application; see the module. Open requests go on, their number is `in_flight`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._nothing_open = asyncio.Event()
        self.in_flight = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if lifecycle.is_draining() and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
            return
        if lifecycle.is_draining() and not scope["path"].startswith(ALWAYS_ANSWERED):
            await _refuse(send)
            return
        self.in_flight += 1
        self._nothing_open.clear()
        try:
            if scope["type"] == "websocket":
                await _until_draining(self._application, scope, receive, send)
            else:
                await self._application(scope, receive, send)
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._nothing_open.set()

    async def idle(self) -> None:
        """Returns when no request and no WebSocket is open."""
        if self.in_flight:
            await self._nothing_open.wait()


async def _refuse(send: Send) -> None:
    error = {
        "message": "The service is restarting; try again in a moment.",
        "type": "server_error",
        "param": None,
        "code": "service_restarting",
    }
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"2"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


async def _until_draining(application: Application, scope: Message, receive: Receive, send: Send) -> None:
    """Runs a WebSocket's application; when draining begins, closes it with 1012 after what was already being sent."""
    sending = asyncio.Lock()
    closed = False

    async def send_in_turn(message: Message) -> None:
        async with sending:
            if not closed:
                await send(message)

    async def close_when_draining() -> None:
        nonlocal closed
        await lifecycle.draining()
        async with sending:
            closed = True
            await send({"type": "websocket.close", "code": SERVICE_RESTART})

    closing = asyncio.create_task(close_when_draining())
    try:
        await application(scope, receive, send_in_turn)
    finally:
        closing.cancel()


async def refuse_websocket(_scope: Message, _receive: Receive, send: Send) -> None:
    """The ASGI application of every WebSocket path that does not exist."""
    await send({"type": "websocket.close", "code": 4404})
