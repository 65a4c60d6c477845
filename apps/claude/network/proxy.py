"""The proxy of one task's jail: CONNECT to public addresses, looked up once, counted, bounded, told one by one.

It runs in the worker's loop. What else is asked of it goes to the bridge to the operator's MCP servers, or is refused.
"""

import asyncio
import itertools
import re
import socket
from collections.abc import Callable
from dataclasses import replace

from apps.claude.network.bridge import Bridge
from apps.claude.network.connection import Connection
from apps.claude.network.reach import Reach
from apps.claude.network.tunnel import CHUNK, Tunnel

_HEAD_BYTES = 16 << 10
_HEAD_SECONDS = 10.0

Report = Callable[[Connection], None]


class Proxy:
    """Belongs to the engine's loop. Refuses everything until a task is let in, and after it was cut."""

    def __init__(self, reach: Reach, *, web: bool, bridge: Bridge | None = None) -> None:
        self.reach = reach
        self.web = web
        self.bridge = bridge
        self._server: asyncio.Server | None = None
        self._report: Report | None = None
        self._told: list[Connection] = []
        self._callers: set[_Caller] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._bytes = 0
        self._cut = False

    async def listen(self, door: socket.socket) -> None:
        """Take the jail's connections."""
        if self.bridge:
            self.bridge.begin(self)
        self._server = await asyncio.get_running_loop().create_server(lambda: _Caller(self), sock=door)

    def let_in(self, report: Report) -> None:
        """A task has come: what it does is told from now on, and what its CLI did when it started."""
        self._report = report
        told, self._told = self._told, []
        for connection in told:
            report(connection)

    async def cut(self) -> None:
        """End every connection, take no more, and have all of them told."""
        self._cut = True
        for caller in list(self._callers):
            caller.abort()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.bridge:
            await self.bridge.close()

    async def close(self) -> None:
        """Let go of the jail's socket."""
        await self.cut()
        if self._server:
            self._server.close()

    def begin(self, host: str, port: int) -> Connection | None:
        """A connection that is asked for, not yet allowed; None where the task has used up what it may have."""
        number = next(self._numbers)
        if self._cut or number > self.reach.job_connections:
            return None
        return Connection(f"net_{number}", host[:255], port, None, False, None)

    def tell(self, connection: Connection) -> None:
        """It is over."""
        if self._report is None:
            self._told.append(connection)
        else:
            self._report(connection)

    def spend(self, count: int) -> bool:
        """Whether the task may still move so many bytes; they are counted."""
        self._bytes += count
        return self._bytes <= self.reach.job_bytes

    def admit(self, caller: "_Caller") -> bool:
        """Whether one more may connect."""
        if self._cut or len(self._callers) >= self.reach.at_once:
            return False
        self._callers.add(caller)
        return True

    def leave(self, caller: "_Caller") -> None:
        """It has gone."""
        self._callers.discard(caller)

    def tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a CONNECT."""
        task = asyncio.create_task(self._tunnel(target, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = _split(target)
        asked = self.begin(host, port)
        if asked is None:
            writer.close()
            return
        tunnel = Tunnel(self, asked, reader, writer)
        try:
            await tunnel.run()
        finally:
            writer.close()
            self.tell(tunnel.told())


class _Caller(asyncio.Protocol):
    """One connection out of the jail. Its first bytes say who answers it; all later ones go there."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Protocol | None = None
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._proxy.admit(self):
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(_HEAD_SECONDS, transport.abort)

    def abort(self) -> None:
        """End it."""
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._inner:
            self._inner.data_received(data)
            return
        self._head += data
        if len(self._head) > _HEAD_BYTES:
            self.abort()
        elif self._head[:8].upper() == b"CONNECT ":
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if end:
                self._connect(head, rest)
        elif len(self._head) >= 8:
            self._hand_over()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self) -> None:
        if self._inner:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.leave(self)
        if self._timer:
            self._timer.cancel()
        if self._inner:
            self._inner.connection_lost(exc)

    def _become(self, inner: asyncio.Protocol) -> asyncio.Transport:
        assert self._transport is not None
        if self._timer:
            self._timer.cancel()
        self._inner = inner
        inner.connection_made(self._transport)
        return self._transport

    def _connect(self, head: bytes, rest: bytes) -> None:
        reader = asyncio.StreamReader(limit=CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = self._become(protocol)
        if rest:
            protocol.data_received(rest)
        target = head.split(b"\r\n", 1)[0].split(b" ")[1].decode("latin-1")
        writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
        self._proxy.tunnel(target, reader, writer)

    def _hand_over(self) -> None:
        """Not a CONNECT: for the bridge, which refuses what is not its own."""
        if self._proxy.bridge is None:
            asked = self._proxy.begin(_first_word(self._head), 80)
            if asked:
                self._proxy.tell(replace(asked, reason="only CONNECT is forwarded"))
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self._transport.close()
            return
        protocol = self._proxy.bridge.protocol()
        self._become(protocol)
        protocol.data_received(self._head)


def _split(target: str) -> tuple[str, int]:
    """Host and port of a CONNECT; port 0, which is never allowed, where there is none."""
    host, _, port = target.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0


def _first_word(head: bytes) -> str:
    words = head.decode("latin-1").split()
    return words[1][:255] if len(words) > 1 else ""
