"""Posting an alert to somebody else's server, signed as https://www.standardwebhooks.com has it.

Only https. The name is resolved once, and no address in the answer may be private: neither a name that points inside
nor one that changes its mind between check and use gets at our network. Redirects are not followed.
"""

import asyncio
import base64
import hmac
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

DEADLINE_SECONDS = 10.0
_SECRET_PREFIX = "whsec_"  # noqa: S105  the public part
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotDelivered(Exception):
    """The message was not taken; the text says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message. `id` is the same for every attempt, so that the receiver can drop repetitions."""

    id: str
    url: str
    secret: str
    body: bytes


def new_secret() -> str:
    """A random signing secret in the standard's form: `whsec_` and 32 bytes in base 64."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(post: Post, *, timestamp: int) -> str:
    """`v1,` and the base-64 HMAC-SHA256 of `id.timestamp.body` under the secret. `timestamp`: Unix seconds."""
    message = f"{post.id}.{timestamp}.".encode() + post.body
    return "v1," + base64.b64encode(hmac.digest(_key(post.secret), message, sha256)).decode()


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


async def send(
    post: Post,
    *,
    timestamp: int,
    allowed: Callable[[str], bool] = is_public,
    trust: ssl.SSLContext | None = None,
) -> None:
    """Post once. Raises NotDelivered unless the server answers with a 2xx status within ten seconds."""
    url = URL(post.url)
    if url.scheme != "https" or not url.host:
        raise NotDelivered("the URL is not https")
    headers = {
        "content-type": "application/json",
        "user-agent": "claude-code-api-service",
        "webhook-id": post.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(post, timestamp=timestamp),
    }
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            addresses = await _resolve(url.host, url.port or 443, allowed)
            connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), ssl=trust or True, use_dns_cache=False)
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.post(url, data=post.body, headers=headers, allow_redirects=False) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise NotDelivered(f"the server answered {answer.status}")
    except TimeoutError:
        raise NotDelivered(f"no answer within {DEADLINE_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}"[:300]) from None


async def _resolve(host: str, port: int, allowed: Callable[[str], bool]) -> list[ResolveResult]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not allowed(str(address[0])):
            raise NotDelivered(f"{host} is at {address[0]}, which is not a public address")
    return [
        ResolveResult(hostname=host, host=str(address[0]), port=port, family=family, proto=proto, flags=0)
        for family, _, proto, _, address in found
    ]


class _Pinned(AbstractResolver):
    """Knows the addresses that were checked, and no others."""

    def __init__(self, addresses: Sequence[ResolveResult]) -> None:
        self._addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        return self._addresses

    async def close(self) -> None:
        return None


def _key(secret: str) -> bytes:
    """The HMAC key: what is encoded in a secret of the standard's form, any other text as it is."""
    if secret.startswith(_SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except ValueError:
            pass
    return secret.encode()
