"""Calls to servers that somebody else names: public addresses only.

The name is resolved once, and no address in the answer may be private: neither a name that points inside nor one that
changes its mind between check and use gets at our network.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotOutside(Exception):
    """The name leads to an address that is not public."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the internet: also what IPv6 addresses wrap is looked at."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def connector(
    host: str, port: int, *, allowed: Callable[[str], bool] = is_public, trust: ssl.SSLContext | None = None
) -> aiohttp.TCPConnector:
    """Connects to the addresses that the name has now, if all of them are allowed. Raises NotOutside or OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not allowed(str(address[0])):
            raise NotOutside(f"{host} is at {address[0]}, which is not a public address")
    addresses = [
        ResolveResult(hostname=host, host=str(address[0]), port=port, family=family, proto=proto, flags=0)
        for family, _, proto, _, address in found
    ]
    return aiohttp.TCPConnector(resolver=_Pinned(addresses), ssl=trust or True, use_dns_cache=False)


class _Pinned(AbstractResolver):
    """Knows the addresses that were checked, and no others."""

    def __init__(self, addresses: Sequence[ResolveResult]) -> None:
        self._addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        return self._addresses

    async def close(self) -> None:
        return None
