"""Who tries keys that do not work: failed authentications are counted for each address.

A working key is never refused for what its neighbours do: behind a proxy or a company's gateway everybody has one
address, and 190 random bits are not found by trying. What is limited is the failures themselves.
"""

from ipaddress import IPv6Address, ip_address

from django.conf import settings

from apps.keys import ratelimit
from apps.keys.rates import RateLimited, RateState

_IPV6_NETWORK_BITS = 64
"""What one customer has of IPv6: any address in it is the same person."""


def note_failure(*, ip: str | None, now: float | None = None) -> None:
    """Count a failed authentication. Raises RateLimited from the one on that is too many in 60 seconds."""
    _count(ip, failures=1, now=now)


def check_address(*, ip: str | None, now: float | None = None) -> None:
    """Raise RateLimited if the address has failed too often; counts nothing.

    For doors that have no key to look at, such as single-use tickets. Where there is a key, look at it first.
    """
    _count(ip, failures=0, now=now)


def _count(ip: str | None, *, failures: int, now: float | None) -> None:
    if not ip:
        return  # a unix socket: whoever can open it is local
    name = f"{settings.VALKEY_PREFIX}failures:{_network(ip)}"
    milliseconds = 0 if now is None else round(now * 1000)
    limit = settings.AUTH_FAILURES_PER_MINUTE
    most = limit if failures else limit - 1
    answer = ratelimit.run("failures", keys=[name], args=[milliseconds, failures, most])
    if answer and answer[1]:
        raise RateLimited("address", limit=limit, retry_after_seconds=answer[1] / 1000, state=RateState())


def _network(ip: str) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return ip[:45]  # a header may have said it
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> _IPV6_NETWORK_BITS << _IPV6_NETWORK_BITS)}/{_IPV6_NETWORK_BITS}"
    return str(address)
