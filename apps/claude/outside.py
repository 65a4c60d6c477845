"""Calls to servers that somebody else names: public addresses only.

The name is resolved once, and no address in the answer may be private: neither a name that points inside nor one that
changes its mind between check and use gets at our network.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotOutside(Exception):
    """The name leads to an address that is not public."""

    def __init__(self, message: str, address: str) -> None:
        super().__init__(message)
        self.address = address


@dataclass(frozen=True, slots=True)
class Found:
    """One address of a name."""

    family: int
    proto: int
    address: str


Resolver = Callable[[str, int], Awaitable[list[Found]]]
"""A host's addresses. Raises OSError."""


def is_public(address: str) -> bool:
    """Whether an IP address is on the internet: also what IPv6 addresses wrap is looked at."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local or ip.is_reserved or ip in _LOCAL_NAT64:
            return False
    return ip.is_global and not ip.is_multicast


async def look_up(host: str, port: int) -> list[Found]:
    """What the machine's resolver says, which also reads numbers such as 2130706433 and 0177.1 as addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Found(family, proto, str(address[0])) for family, _, proto, _, address in found]


async def checked(
    host: str, port: int, *, allowed: Callable[[str], bool] = is_public, resolver: Resolver = look_up
) -> list[Found]:
    """The addresses that the name has now, if all of them are allowed. Raises NotOutside or OSError."""
    found = await resolver(host, port)
    for each in found:
        if not allowed(each.address):
            raise NotOutside(f"{host} is at {each.address}, which is not a public address", each.address)
    return found


async def connector(
    host: str, port: int, *, allowed: Callable[[str], bool] = is_public, trust: ssl.SSLContext | None = None
) -> aiohttp.TCPConnector:
    """Connects to the addresses that the name has now, if all of them are allowed. Raises NotOutside or OSError."""
    addresses = [
        ResolveResult(hostname=host, host=each.address, port=port, family=each.family, proto=each.proto, flags=0)
        for each in await checked(host, port, allowed=allowed)
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
