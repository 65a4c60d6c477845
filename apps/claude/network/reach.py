"""Where tasks may connect to, and how much of it: the operator's rules. Pure."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.claude import outside

_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]{2,45}")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Reach:
    """Public addresses at these ports, and what the operator names beside them."""

    networks: tuple[Network, ...] = ()
    """Networks that are allowed although they are not public."""
    names: frozenset[str] = frozenset()
    """Hosts that are allowed wherever they are."""
    ports: frozenset[int] = frozenset({443, 80})
    resolver: outside.Resolver = outside.look_up
    """What finds a host's addresses, once for each connection."""
    ca_file: Path | None = None
    """Certificates that are believed beside the usual ones."""
    job_bytes: int = 256 << 20
    """Of one task, both ways together."""
    job_connections: int = 1_000
    """Of one task, refused ones included."""
    at_once: int = 32
    connection_seconds: float = 300.0
    connect_seconds: float = 10.0

    def fault(self, host: str, port: int) -> str | None:
        """Why this host and port may not even be looked up."""
        if not _HOST.fullmatch(host):
            return "that is not the name of a host"
        if port not in self.ports:
            return f"port {port} is not one of {', '.join(map(str, sorted(self.ports)))}"
        return None

    def rule(self, host: str) -> Callable[[str], bool]:
        """Which addresses of this host may be connected to."""
        if host.lower().rstrip(".") in self.names:
            return lambda address: True
        return self._allowed

    def _allowed(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip in network for network in self.networks) or outside.is_public(address)


def named(words: tuple[str, ...]) -> tuple[tuple[Network, ...], frozenset[str]]:
    """Networks and host names out of a list of both."""
    networks: list[Network] = []
    names: set[str] = set()
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            names.add(word.lower().rstrip("."))
    return tuple(networks), frozenset(names)
