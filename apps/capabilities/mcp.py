"""The operator's MCP servers, from the file that MCP_SERVERS names.

`{"mcpServers": {"tickets": {"command": "/usr/bin/tickets-mcp", "args": [], "env": {}, "tools": ["search"]}}}`: as
the CLI has it, and for each server the tools that tasks may be granted, as `mcp__tickets__search`. Such a server runs
in the task's jail: it sees what the task sees, has no network, and hides nothing from code that the task runs.
`{"type": "http" or "sse", "url": "https://…", "headers": {}, "tools": [...]}` is reached by the service for the task,
which learns neither URL nor headers.
"""

import json
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from apps.claude.network.servers import KINDS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
_MAX_BYTES = 1 << 20
_log = logging.getLogger(__name__)


class BadServers(ValueError):
    """The file cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server, as the CLI is told of it, and its tools by the names that tasks use."""

    config: Mapping[str, Any]
    tools: tuple[str, ...]


def servers() -> Mapping[str, Server]:
    """All of them, by name; none where the file cannot be used, which the log says once for each version of it."""
    path = settings.MCP_SERVERS
    if not path:
        return {}
    try:
        return _read(Path(path), Path(path).stat().st_mtime_ns)
    except OSError as error:
        _log.warning("MCP_SERVERS cannot be read: %s", error)
        return {}


def tools() -> list[str]:
    """Every tool of every server."""
    return [tool for server in servers().values() for tool in server.tools]


def configs(granted: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """What the CLI is told: the servers of which any tool was granted."""
    return {name: server.config for name, server in servers().items() if not set(granted).isdisjoint(server.tools)}


@lru_cache(maxsize=4)
def _read(path: Path, _version: int) -> Mapping[str, Server]:
    try:
        return parse(path.read_text(encoding="utf-8")[:_MAX_BYTES])
    except (BadServers, UnicodeDecodeError) as fault:
        _log.error("no MCP server is used: %s: %s", path, fault)
        return {}


def parse(text: str) -> Mapping[str, Server]:
    """The servers in the text of the file. Raises BadServers."""
    try:
        listed = json.loads(text)["mcpServers"]
        if len({name.lower() for name in listed}) < len(listed):
            raise BadServers("two servers have the same name but for capitals")
        return {name: _server(name, entry) for name, entry in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise (
            error if isinstance(error, BadServers) else BadServers(f"it is not such a file: {error!r}"[:200])
        ) from None


def _server(name: str, entry: Mapping[str, Any]) -> Server:
    if not _NAME.fullmatch(name):
        raise BadServers(f"{name[:60]!r} is not a server's name: use letters, digits and -")
    kind = entry.get("type", "stdio")
    config = _program(name, entry) if kind == "stdio" else _remote(name, kind, entry)
    listed = entry.get("tools")
    if not isinstance(listed, list) or not all(isinstance(tool, str) and _TOOL.fullmatch(tool) for tool in listed):
        raise BadServers(f"{name} has no list of tools that tasks may be granted")
    return Server(config, tuple(f"mcp__{name}__{tool}" for tool in listed))


def _program(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A server that is started in the jail."""
    if not isinstance(entry.get("command"), str):
        raise BadServers(f"{name} has no command")
    args, env = entry.get("args", []), entry.get("env", {})
    if not all(isinstance(each, str) for each in (*args, *env, *env.values())):
        raise BadServers(f"{name}: args is a list and env an object of texts")
    return {"type": "stdio", "command": entry["command"], "args": list(args), "env": dict(env)}


def _remote(name: str, kind: object, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A server that is reached over HTTP, by the service for the jail."""
    url, headers = entry.get("url"), entry.get("headers", {})
    if kind not in KINDS or "command" in entry:
        raise BadServers(f"{name}: a server is a command, or of type {', '.join(KINDS)}")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise BadServers(f"{name} has no url that begins with http:// or https://")
    if not all(isinstance(each, str) and each.isprintable() for each in (*headers, *headers.values())):
        raise BadServers(f"{name}: headers is an object of texts")
    return {"type": kind, "url": url, "headers": dict(headers)}
