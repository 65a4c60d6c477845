"""The operator's MCP servers over HTTP: what the service knows of them, and what a jail is told. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

DOMAIN = "mcp.invalid"
"""Names below it lead nowhere but to the bridge."""
KINDS = ("http", "sse")


@dataclass(frozen=True, slots=True)
class Remote:
    """One server. URL and headers, which may hold secrets, never enter a jail."""

    name: str
    kind: str
    url: str
    headers: Mapping[str, str]
    tools: frozenset[str]
    """Those that the task was granted, by the server's own names."""

    @property
    def port(self) -> int:
        """Where the server itself listens."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def host(self) -> str:
        """How the jail calls it."""
        return f"{self.name.lower()}.{DOMAIN}"


def remotes(configs: Mapping[str, Any], granted: Iterable[str]) -> tuple[Remote, ...]:
    """Those of the servers that are reached over HTTP, with what of each was granted."""
    names = tuple(granted)
    return tuple(
        Remote(name, config["type"], config["url"], dict(config.get("headers") or {}), _own(name, names))
        for name, config in configs.items()
        if config.get("type") in KINDS
    )


def inside(configs: Mapping[str, Any]) -> str:
    """The CLI's --mcp-config: servers over HTTP by the bridge's names, the others as they are."""
    told = {
        name: {"type": config["type"], "url": f"http://{name.lower()}.{DOMAIN}/"}
        if config.get("type") in KINDS
        else dict(config)
        for name, config in configs.items()
    }
    return json.dumps({"mcpServers": told}, sort_keys=True)


def _own(server: str, granted: tuple[str, ...]) -> frozenset[str]:
    prefix = f"mcp__{server}__"
    return frozenset(name.removeprefix(prefix) for name in granted if name.startswith(prefix))
