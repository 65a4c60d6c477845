"""Daphne, made fit for production: it drains, bounds what a client can make it hold, and takes over an open socket."""

# Daphne must be imported before anything of Twisted: it chooses the reactor.
from daphne.server import Server, reactor  # isort: skip

import asyncio
import gc
import json
import signal
import socket
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory
from twisted.logger import LogPublisher, globalLogBeginner

from config.draining import Draining

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 32 * 1024 * 1024
# A larger body is read to its end and thrown away, so that the client gets to see the refusal; beyond this it is cut.
MAX_DISCARDED_BYTES = 256 * 1024 * 1024
MAX_FRAME_BYTES = 256 * 1024
IDLE_SECONDS = 75  # of a connection without a request, and between two pieces of a body
# A client that reads slower than we write makes us wait; one that reads nothing for so long is cut and may resume.
HIGH_WATER_BYTES = 256 * 1024
STALLED_SECONDS = 30


class Request(WebRequest):  # type: ignore[misc]
    """A request whose body cannot grow past MAX_BODY_BYTES."""

    received_bytes = 0
    too_large = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802  # Twisted's name
        super().gotLength(length)
        self.too_large = length is not None and length > MAX_BODY_BYTES
        if length is not None and length > MAX_DISCARDED_BYTES:
            self.channel.transport.write(b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\n\r\n")
            self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self.received_bytes += len(data)
        self.too_large = self.too_large or self.received_bytes > MAX_BODY_BYTES
        if self.received_bytes > MAX_DISCARDED_BYTES:
            self.channel.transport.abortConnection()
        elif not self.too_large:
            super().handleContentChunk(data)

    def process(self) -> Any:
        if not self.too_large:
            return super().process()
        self.request_start = time.time()
        return self.basic_error(413, b"", f"The body is larger than {MAX_BODY_BYTES // 2**20} MB.")

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Answers what never reaches Django, in the shape that API clients expect of every error."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        error = {"message": body, "type": kind, "param": None, "code": None}
        headers = [(b"content-type", b"application/json")]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


class Factory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, address: object) -> Any:  # noqa: N802
        protocol = super().buildProtocol(address)
        protocol.requestFactory = Request
        protocol.timeOut = IDLE_SECONDS
        return protocol


class Web(Server):  # type: ignore[misc]
    """Daphne's server around one ASGI application."""

    def __init__(self, application: Draining, *, drain_seconds: float, behind_proxy: bool) -> None:
        super().__init__(
            application,
            endpoints=["the socket given to run_on"],
            signal_handlers=False,
            request_buffer_size=1024 * 1024,
            websocket_timeout=-1,
            websocket_connect_timeout=10,
            websocket_handshake_timeout=10,
            websocket_max_message_size=MAX_FRAME_BYTES,
            websocket_max_frame_size=MAX_FRAME_BYTES,
            ping_interval=20,
            ping_timeout=30,
            server_name="",
            proxy_forwarded_address_header="X-Forwarded-For" if behind_proxy else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if behind_proxy else None,
        )
        self._draining = application
        self._drain_seconds = drain_seconds
        self._stopping: asyncio.Task[None] | None = None

    def run_on(self, listening: socket.socket) -> None:
        """Serves on a listening socket until SIGTERM or SIGINT; returns when everything has ended."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = Factory(self)
        self.ws_factory = WebSocketFactory(self, server="")
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            closeHandshakeTimeout=10,  # a busy client may be slow to read why it is sent away
            failByDrop=False,  # a client learns by the close code what it did wrong
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        nowhere: Any = LogPublisher()  # Twisted's log says nothing that ours does not
        globalLogBeginner.beginLoggingTo([nowhere], redirectStandardIO=False, discardBuffer=True)
        listening.setblocking(False)
        self._port = reactor.adoptStreamPort(listening.fileno(), listening.family, self.http_factory)
        listening.close()  # the reactor has its own copy
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        loop = reactor._asyncioEventloop
        asyncio.set_event_loop(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_stopping)
        # Everything loaded so far stays; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        reactor.run(installSignalHandlers=False)

    def _begin_stopping(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._drain_and_stop())

    async def _drain_and_stop(self) -> None:
        try:
            # Workers stop their last jobs after `drain_seconds`; the answers to those still have to go out.
            await self._draining.drain(patience_seconds=self._drain_seconds + 6)
            if self._draining.in_flight:
                log.warning("stopping with open requests", open_requests=self._draining.in_flight)
            deadline = time.monotonic() + 2
            while any(map(_unsent_bytes, self.connections)) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # Twisted tells nobody when it has written all
        finally:
            self.stop()

    async def handle_reply(self, protocol: Any, message: MutableMapping[str, Any]) -> None:
        """Daphne's, and then waits until the client has read most of what it was sent."""
        if message["type"] == "websocket.close" and protocol.state == protocol.STATE_OPEN:
            # The polite way of autobahn knows no codes between 1001 and 2999, such as 1012 for a restart.
            protocol.sendCloseFrame(code=message.get("code") or 1000)
            return
        await super().handle_reply(protocol, message)
        unsent, since, pause = _unsent_bytes(protocol), time.monotonic(), 0.005
        while unsent > HIGH_WATER_BYTES:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
            left = _unsent_bytes(protocol)
            if left < unsent:
                unsent, since = left, time.monotonic()
            elif time.monotonic() - since > STALLED_SECONDS:
                log.info("cut a client that does not read", unsent_bytes=left)
                _transport(protocol).abortConnection()
                return

    def kill_all_applications(self) -> Any:
        # Daphne's own stumbles over connections that have no application (yet, or any more).
        self.connections = {
            protocol: details for protocol, details in self.connections.items() if "application_instance" in details
        }
        return super().kill_all_applications()


def _transport(protocol: Any) -> Any:
    channel = getattr(protocol, "channel", None)
    return channel.transport if channel is not None else getattr(protocol, "transport", None)


def _unsent_bytes(protocol: Any) -> int:
    """What Twisted holds for a connection because the client's system does not take it yet."""
    transport = _transport(protocol)
    if transport is None or not hasattr(transport, "dataBuffer"):
        return 0
    return len(transport.dataBuffer) - int(transport.offset) + int(transport._tempDataLen)
