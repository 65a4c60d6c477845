"""From a jail to the operator's MCP servers over HTTP: exactly their URLs, with headers that the jail never sees.

Code in the jail can speak to it by hand, so it judges every message: only tools that the task was granted are called.
"""

import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import web

from apps.claude.network.connection import Connection
from apps.claude.network.servers import DOMAIN, Remote

if TYPE_CHECKING:
    from apps.claude.network.proxy import Proxy

_MAX_BYTES = 10 << 20
_CONNECT_SECONDS = 10.0
_ASKED = ("accept", "content-type", "last-event-id", "mcp-protocol-version", "mcp-session-id")
_ANSWERED = ("content-type", "mcp-protocol-version", "mcp-session-id", "retry-after")
_METHODS = frozenset({"initialize", "ping", "tools/list", "tools/call", "logging/setLevel"})
_NOT_FOUND = -32601
_NO_METHOD = "not/forwarded"


class Bridge:
    """One task's. Belongs to the engine's loop."""

    def __init__(self, remotes: Iterable[Remote], ca_file: Path | None) -> None:
        self._remotes = {remote.host: remote for remote in remotes}
        self._ca_file = ca_file
        self._posts: dict[str, str] = {}
        """Where an SSE server wants its messages, by the path that stands for it inside."""
        self._session: aiohttp.ClientSession | None = None
        self._proxy: Proxy | None = None
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)

    def begin(self, proxy: "Proxy") -> None:
        """Must be called on the loop that will serve."""
        self._proxy = proxy
        trust = ssl.create_default_context(cafile=str(self._ca_file)) if self._ca_file else True
        if self._ca_file and isinstance(trust, ssl.SSLContext):
            trust.load_default_certs()
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(ssl=trust), cookie_jar=aiohttp.DummyCookieJar()
        )

    def protocol(self) -> Any:
        """What answers one connection."""
        return self._server()

    async def close(self) -> None:
        """End what is under way."""
        await self._server.shutdown(0)
        if self._session:
            await self._session.close()
            self._session = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._proxy is not None
        host = (request.url.host or "").lower()
        remote = self._remotes.get(host)
        asked = self._proxy.begin(remote.name if remote else host, remote.port if remote else request.url.port or 80)
        if asked is None:
            return web.Response(status=403)
        exchange = _Exchange(self, self._proxy, asked)
        try:
            return await exchange.answer(remote, request)
        finally:
            self._proxy.tell(exchange.told())

    def _target(self, remote: Remote, request: web.BaseRequest) -> str | None:
        if request.path == "/":
            return remote.url
        return self._posts.get(f"{remote.host}{request.path}")

    def _announced(self, remote: Remote, data: str) -> str:
        """The path that stands inside for the place where an SSE server wants its messages."""
        url = urljoin(remote.url, data.strip())
        if urlsplit(url)[:2] != urlsplit(remote.url)[:2]:
            raise ValueError("the server wants its messages sent to another host")
        known = next((path for path, place in self._posts.items() if place == url), None)
        path = known or f"{remote.host}/messages-{len(self._posts)}"
        self._posts[path] = url
        return path.removeprefix(remote.host)


class _Exchange:
    """One request of the jail and its answer."""

    def __init__(self, bridge: Bridge, proxy: "Proxy", asked: Connection) -> None:
        self._bridge, self._proxy, self._asked = bridge, proxy, asked
        self._began = time.monotonic()
        self._sent = self._received = 0

    def told(self) -> Connection:
        """What is to be said of it."""
        seconds = round(time.monotonic() - self._began, 3)
        return replace(self._asked, sent_bytes=self._sent, received_bytes=self._received, seconds=seconds)

    async def answer(self, remote: Remote | None, request: web.BaseRequest) -> web.StreamResponse:
        """Judge it, pass it on, pass the answer back."""
        if remote is None:
            return self._refuse(f"only CONNECT is forwarded, and names below {DOMAIN}")
        url = self._bridge._target(remote, request)
        if url is None or request.method not in ("GET", "POST", "DELETE"):
            return self._refuse("the server has no such place")
        body = await _read(request)
        if body is None:
            return self._refuse("the message is too large")
        if request.method == "POST":
            found = judge(body, remote.tools)
            if isinstance(found, str):
                return self._refuse(found)
            if isinstance(found, dict) and remote.kind == "http":
                self._asked = replace(self._asked, allowed=True, reason="answered here: the method is not forwarded")
                return web.json_response(found)
            if isinstance(
                found, dict
            ):  # an SSE server answers elsewhere: let it say itself that there is no such method
                found = json.dumps({"jsonrpc": "2.0", "id": found["id"], "method": _NO_METHOD}).encode()
            body = found
        try:
            return await self._pass_on(remote, request, url, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._asked = replace(self._asked, reason=f"not reached: {type(error).__name__}")
            return web.Response(status=502, text="The server could not be reached.")

    async def _pass_on(self, remote: Remote, request: web.BaseRequest, url: str, body: bytes) -> web.StreamResponse:
        session = self._bridge._session
        assert session is not None
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        self._asked, self._sent = replace(self._asked, allowed=True), len(body)
        async with session.request(
            request.method, url, data=body or None, headers={**headers, **remote.headers}, allow_redirects=False
        ) as upstream:
            peer = upstream.connection and upstream.connection.transport
            if peer and (address := peer.get_extra_info("peername")):
                self._asked = replace(self._asked, address=str(address[0]))
            status = 502 if upstream.status in (401, 403, 407) or 300 <= upstream.status < 400 else upstream.status
            if status != upstream.status:
                # A jail that is told 401 would look for a way to log in.
                self._asked = replace(self._asked, reason=f"the server answered {upstream.status}")
                return web.Response(status=502, text=f"The server answered {upstream.status}.")
            kept = {name: upstream.headers[name] for name in _ANSWERED if name in upstream.headers}
            response = web.StreamResponse(status=status, headers=kept)
            await response.prepare(request)
            await self._relay(remote, upstream, response)
            return response

    async def _relay(self, remote: Remote, upstream: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        """The answer's bytes; where an SSE server says where it wants its messages, the path that stands for it."""
        waits = upstream.method == "GET" and upstream.content_type == "text/event-stream"
        begun = b""
        async for chunk in upstream.content.iter_any():
            self._received += len(chunk)
            if not self._proxy.spend(len(chunk)):
                self._asked = replace(self._asked, reason="cut off: the task has moved all it may")
                return
            if not waits:
                await response.write(chunk)
                continue
            begun += chunk
            if b"\n\n" in begun.replace(b"\r\n", b"\n"):
                await response.write(self._told_place(remote, begun))
                waits = False

    def _told_place(self, remote: Remote, begun: bytes) -> bytes:
        text = begun.replace(b"\r\n", b"\n").decode()
        event, _, rest = text.partition("\n\n")
        fields = dict(line.partition(":")[::2] for line in event.split("\n"))
        if fields.get("event", "").strip() != "endpoint":
            return begun
        path = self._bridge._announced(remote, fields.get("data", ""))
        return f"event: endpoint\ndata: {path}\n\n{rest}".encode()

    def _refuse(self, reason: str) -> web.Response:
        self._asked = replace(self._asked, allowed=False, reason=reason)
        return web.Response(status=403, text=f"{reason}\n")


def judge(body: bytes, tools: frozenset[str]) -> bytes | dict[str, Any] | str:
    """The message as it was understood, if it may pass; else what it is answered here, or why it may not. Pure."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "that is no message"
    for each in said if isinstance(said, list) else [said]:
        if not isinstance(each, dict):
            return "that is no message"
        method = each.get("method")
        if method is None or str(method).startswith("notifications/"):
            continue
        if not isinstance(method, str) or method not in _METHODS:
            if isinstance(said, list):
                return f"{str(method)[:100]} is not forwarded"
            error = {"code": _NOT_FOUND, "message": "Method not found"}
            return {"jsonrpc": "2.0", "id": each.get("id"), "error": error}
        if method == "tools/call":
            params = each.get("params")
            name = params.get("name") if isinstance(params, dict) else None
            if not isinstance(name, str) or name not in tools:
                return f"the tool {str(name)[:100]} was not granted"
    return json.dumps(said).encode()  # not as it came: a key that stands there twice means one thing from here on


async def _read(request: web.BaseRequest) -> bytes | None:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MAX_BYTES:
            return None
    return bytes(body)
