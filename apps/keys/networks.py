"""From which addresses a key may be used. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.core.exceptions import ValidationError

MOST = 100


def validate_networks(value: object) -> None:
    """Accept a list of networks in CIDR notation. Raises ValidationError with a message for every line that is none."""
    if not isinstance(value, list):
        raise ValidationError("Networks are a list, such as ['192.0.2.0/24'].", code="invalid")
    faults = [fault for item in value if (fault := _fault(item))]
    if len(value) > MOST:
        faults.append(f"At most {MOST} networks fit in one list.")
    if faults:
        raise ValidationError(faults, code="invalid")


def contains(networks: Sequence[str], ip: str | None) -> bool:
    """Whether the address lies in one of the networks; in an empty list of networks everything does.

    An address that is missing or unreadable lies in none, and an IPv4 address may come dressed as IPv6.
    """
    if not networks:
        return True
    try:
        address = ip_address(ip or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(tuple(networks)))


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _fault(item: object) -> str | None:
    if not isinstance(item, str):
        return f"{item!r} is not a network."
    try:
        ip_network(item)
    except ValueError as error:
        # ip_network explains "has host bits set"; of anything else it only says that it is none.
        hint = f" Did you mean {ip_network(item, strict=False)}?" if "host bits" in str(error) else ""
        return f"{item!r} is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32.{hint}"
    return None
