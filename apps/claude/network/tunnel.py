"""One CONNECT from its look-up to its last byte."""

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from apps.claude import outside
from apps.claude.network.connection import Connection

if TYPE_CHECKING:
    from apps.claude.network.proxy import Proxy

CHUNK = 64 << 10


class Tunnel:
    """Connects to an address that was checked, and to no other."""

    def __init__(
        self, proxy: "Proxy", asked: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._asked, self._reader, self._writer = proxy, asked, reader, writer
        self._began = time.monotonic()
        self._outer: asyncio.StreamWriter | None = None
        self._sent = self._received = 0

    def told(self) -> Connection:
        """What is to be said of it."""
        return replace(
            self._asked,
            sent_bytes=self._sent,
            received_bytes=self._received,
            seconds=round(time.monotonic() - self._began, 3),
        )

    async def run(self) -> None:
        """Never raises but CancelledError."""
        reach, host, port = self._proxy.reach, self._asked.host, self._asked.port
        fault = reach.fault(host, port) if self._proxy.web else "no tool of this task may use the web"
        if fault:
            return self._refuse(fault)
        try:
            async with asyncio.timeout(reach.connect_seconds):
                found = await outside.checked(host, port, allowed=reach.rule(host), resolver=reach.resolver)
                upstream = await self._connect(found, port)
        except outside.NotOutside as private:
            return self._refuse(str(private), private.address)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            reason = f"not reached: {error or 'no answer in time'}"[:300]
            self._asked = replace(self._asked, allowed=True, reason=reason)
            return self._answer(502, reason)
        try:
            self._answer(200, "")
            async with asyncio.timeout(reach.connection_seconds):
                await self._relay(*upstream)
        except TimeoutError:
            self._end(f"cut off after {reach.connection_seconds:.0f} s")
        except OSError:
            pass  # either side broke off, which is its right
        finally:
            upstream[1].transport.abort()

    async def _connect(
        self, found: list[outside.Found], port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the first of the checked addresses that answers; nothing is looked up again."""
        error: OSError = OSError("the name has no address")
        for each in found:
            self._asked = replace(self._asked, address=each.address)
            try:
                upstream = await asyncio.open_connection(each.address, port, limit=CHUNK)
            except OSError as failed:
                error = failed
                continue
            self._asked = replace(self._asked, allowed=True)
            return upstream
        raise error

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._outer = writer
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pump(self._reader, writer, outward=True))
            both.create_task(self._pump(reader, self._writer, outward=False))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, outward: bool) -> None:
        try:
            while chunk := await source.read(CHUNK):
                if not self._proxy.spend(len(chunk)):
                    self._end(f"cut off: the task has moved {self._proxy.reach.job_bytes >> 20} MiB")
                    return
                if outward:
                    self._sent += len(chunk)
                else:
                    self._received += len(chunk)
                target.write(chunk)
                await target.drain()
            target.write_eof()
        except OSError:
            self._end(None)

    def _end(self, reason: str | None) -> None:
        if reason:
            self._asked = replace(self._asked, reason=reason)
        for writer in (self._writer, self._outer):
            if writer:
                writer.transport.abort()

    def _refuse(self, reason: str, address: str | None = None) -> None:
        self._asked = replace(self._asked, address=address, allowed=False, reason=reason)
        self._answer(403, f"This task may not connect to {self._asked.host}:{self._asked.port}: {reason}.\n")

    def _answer(self, status: int, text: str) -> None:
        said = {200: "Connection established", 403: "Forbidden", 502: "Bad Gateway"}[status]
        head = f"HTTP/1.1 {status} {said}\r\n"
        if status != 200:
            body = text.encode(errors="replace")
            head += f"content-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
            self._writer.write(head.encode() + b"\r\n" + body)
        else:
            self._writer.write(head.encode() + b"\r\n")
