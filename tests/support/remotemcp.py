"""A real MCP server over HTTP, by the protocol's own Python package, and a note of what it was asked."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer


@dataclass
class RemoteServer:
    """Where it is, and what came."""

    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request, with its `:method` and `:path`."""
    called: list[str] = field(default_factory=list)
    """The tools that ran."""


@contextmanager
def serving(kind: str, token: str) -> Iterator[RemoteServer]:
    """A server with the tools `search` and `erase`, by `http` (streamable) or `sse`, that wants this bearer token."""
    remote, server = RemoteServer(), MCPServer("tickets", log_level="ERROR")

    @server.tool()
    def search(query: str) -> str:
        """Search the tickets."""
        remote.called.append("search")
        return f"one ticket about {query}"

    @server.tool()
    def erase() -> str:
        """Erase all tickets."""
        remote.called.append("erase")
        return "erased"

    app = server.streamable_http_app() if kind == "http" else server.sse_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            remote.requests.append(headers | {":method": scope["method"], ":path": scope["path"]})
            if headers.get("authorization") != f"Bearer {token}":
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    config = uvicorn.Config(guarded, port=0, log_level="error", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    port = listening.getsockname()[1]
    remote.url = f"http://127.0.0.1:{port}/{'mcp' if kind == 'http' else 'sse'}"
    try:
        yield remote
    finally:
        running.should_exit = True
        thread.join(10)
