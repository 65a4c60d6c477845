"""One WebSocket as frames of JSON: what ASGI says, without the rest of the service."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from apps.api import jsonio
from apps.api.problems import Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UNAUTHENTICATED = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408
TOO_MANY = 4429
TOO_BIG = 1009
INTERNAL = 1011


PROTOCOL = "ccs.v1"
TICKET = "ticket."
"""A browser can send no header: it offers PROTOCOL and, after this, its ticket as subprotocols."""


class Closed(Exception):
    """The client has gone."""


class Close(Exception):
    """Ends the connection with a close code, after telling why."""

    def __init__(self, code: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.code = code
        self.problem = problem


@dataclass(slots=True)
class Connection:
    """Frames in, frames out. `send` waits until the client has read most of what it was sent: nothing piles up."""

    scope: Message
    receive: Receive
    send_message: Send

    def header(self, name: str) -> str:
        """A header of the handshake, or an empty string."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == wanted), "")

    @property
    def ticket(self) -> str:
        """The ticket among the subprotocols that the client offers, or an empty string."""
        offered: list[str] = self.scope.get("subprotocols", [])
        return next((each.removeprefix(TICKET) for each in offered if each.startswith(TICKET)), "")

    @property
    def client_ip(self) -> str | None:
        """The client's address."""
        client = self.scope.get("client")
        return client[0] if client else None

    async def accept(self) -> None:
        """Complete the handshake."""
        message = await self.receive()
        if message["type"] != "websocket.connect":
            raise Closed
        chosen = PROTOCOL if PROTOCOL in self.scope.get("subprotocols", ()) else None
        await self.send_message({"type": "websocket.accept", "subprotocol": chosen})

    async def next_frame(self) -> str | bytes:
        """The next frame. Raises Closed."""
        message = await self.receive()
        if message["type"] != "websocket.receive":
            raise Closed
        text = message.get("text")
        frame: str | bytes = text if text is not None else message["bytes"]
        return frame

    async def send(self, value: dict[str, Any]) -> None:
        """Send one frame."""
        await self.send_json(jsonio.dumps(value))

    async def send_json(self, frame: bytes) -> None:
        """Send one frame that is JSON already."""
        await self.send_message({"type": "websocket.send", "text": frame.decode()})

    async def send_problem(self, problem: Problem, client_id: str | int | None = None, **more: Any) -> None:
        """Send an `error` frame."""
        echo = {} if client_id is None else {"id": client_id}
        told = {"type": "error", "code": problem.code, "message": problem.message, "param": problem.param}
        await self.send({**told, **more, **echo})

    async def close(self, code: int) -> None:
        """End the connection."""
        await self.send_message({"type": "websocket.close", "code": code})
