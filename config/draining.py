"""The outermost ASGI layer: while the process drains, nothing new comes in, and what is open ends in good order."""

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
ERROR = {
    "message": "The service is restarting; try again in a moment.",
    "type": "server_error",
    "param": None,
    "code": "service_restarting",
}
# OpenAI's clients look for `error` in the data, Anthropic's for the event's name and `type`.
ERROR_EVENT = b"event: error\ndata: " + json.dumps({"type": "error", "error": ERROR}).encode() + b"\n\n"


class Draining:
    """Wraps an ASGI application; see the module. `in_flight` is the number of open requests and WebSockets."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._open: set[Exchange] = set()
        self._nothing_open = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return len(self._open)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, send)
        if lifecycle.is_draining() and not scope["path"].startswith(ALWAYS_ANSWERED):
            await exchange.refuse()
            return
        self._open.add(exchange)
        self._nothing_open.clear()
        try:
            await self._application(scope, receive, exchange.send)
        finally:
            self._open.discard(exchange)
            if not self._open:
                self._nothing_open.set()

    async def drain(self, *, patience_seconds: float) -> None:
        """Ends WebSockets at once, waits for requests, and at last refuses those that are left.

        Views whose streams a client can take up again watch `lifecycle.draining` and end them in their own words.
        """
        lifecycle.begin_draining()
        await asyncio.gather(*(exchange.refuse() for exchange in self._open if exchange.is_websocket))
        if await self._idle_within(patience_seconds):
            return
        await asyncio.gather(*(exchange.refuse() for exchange in self._open))
        await self._idle_within(2)

    async def _idle_within(self, seconds: float) -> bool:
        if self._open:
            try:
                await asyncio.wait_for(self._nothing_open.wait(), seconds)
            except TimeoutError:
                return False
        return True


class Exchange:
    """One open request or WebSocket, and how far its answer has come."""

    def __init__(self, scope: Message, send: Send) -> None:
        self.is_websocket = scope["type"] == "websocket"
        self._send = send
        self._started = False
        self._streams_events = False
        self._ended = False

    async def send(self, message: Message) -> None:
        """The application's way out; what it says after we ended the exchange is dropped."""
        if self._ended:
            return
        if message["type"] == "http.response.start":
            self._started = True
            self._streams_events = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message.get("headers", ())
            )
        await self._send(message)

    async def refuse(self) -> None:
        """Ends the exchange, whatever its state, so that the client knows to try again."""
        if self.is_websocket:
            await self._end({"type": "websocket.close", "code": SERVICE_RESTART})
        elif not self._started:
            headers = [(b"content-type", b"application/json"), (b"retry-after", b"2"), (b"connection", b"close")]
            await self._end(
                {"type": "http.response.start", "status": 503, "headers": headers},
                {"type": "http.response.body", "body": json.dumps({"error": ERROR}).encode()},
            )
        elif self._streams_events:
            await self._end({"type": "http.response.body", "body": ERROR_EVENT})

    async def _end(self, *messages: Message) -> None:
        if not self._ended:
            self._ended = True
            for message in messages:
                await self._send(message)


async def refuse_websocket(_scope: Message, _receive: Receive, send: Send) -> None:
    """The ASGI application of every WebSocket path that does not exist."""
    await send({"type": "websocket.close", "code": 4404})
