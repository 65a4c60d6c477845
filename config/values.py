"""How the values of environment variables are read. Each raises ValueError for what it cannot take."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")

ROOT = Path(__file__).resolve().parent.parent


def text(raw: str) -> str:
    """As it is."""
    return raw.strip()


def path(raw: str) -> Path:
    """Relative ones start at the repository."""
    path = Path(raw.strip()).expanduser()
    return path if path.is_absolute() else ROOT / path


def names(raw: str) -> tuple[str, ...]:
    """Several, separated by commas."""
    return tuple(name.strip() for name in raw.split(",") if name.strip())


def paths(raw: str) -> tuple[Path, ...]:
    """Several, separated by commas."""
    return tuple(path(name) for name in names(raw))


def places(raw: str) -> tuple[str, ...]:
    """Networks and host names, separated by commas."""
    for name in names(raw):
        if "/" in name or ":" in name:
            ip_network(name)
        elif not _HOST.fullmatch(name):
            raise ValueError
    return names(raw)


def ports(raw: str) -> tuple[int, ...]:
    """TCP ports, separated by commas."""
    found = tuple(int(name) for name in names(raw))
    if not all(0 < port < 65_536 for port in found):
        raise ValueError
    return found


def count(raw: str) -> int:
    """A whole number, 0 or more."""
    value = int(raw)
    if value < 0:
        raise ValueError
    return value


def seconds(raw: str) -> float:
    """0 or more."""
    value = float(raw)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def usd(raw: str) -> str:
    """An amount above 0, as it was written."""
    try:
        value = Decimal(raw.strip())
    except InvalidOperation:
        raise ValueError from None
    if not (value.is_finite() and value > 0):
        raise ValueError
    return raw.strip()


def switch(raw: str) -> bool:
    """Whether it is on."""
    value = raw.strip().lower()
    if value not in ("", "0", "1", "no", "yes", "false", "true"):
        raise ValueError
    return value in ("1", "yes", "true")


def log_format(raw: str) -> str:
    """One of two."""
    if raw not in ("console", "json"):
        raise ValueError
    return raw


def log_level(raw: str) -> str:
    """In capitals."""
    if raw.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError
    return raw.upper()


def approvers(raw: str) -> str:
    """One of three."""
    if raw not in ("key", "other", "member"):
        raise ValueError
    return raw


def url_of(*schemes: str) -> Callable[[str], str]:
    """A URL of one of these schemes, or nothing."""

    def parse(raw: str) -> str:
        if raw and not raw.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError
        return raw

    return parse


database_url = url_of("postgres", "postgresql")
redis_url = url_of("redis", "rediss", "unix")
web_url = url_of("http", "https")
https_url = url_of("https")

EXPECTED: dict[Callable[[str], Any], str] = {
    places: "networks such as 10.1.0.0/16 and host names, separated by commas",
    ports: "ports such as 443,80",
    count: "a whole number, 0 or more",
    seconds: "a number of seconds, 0 or more",
    usd: "an amount in US dollars above 0, such as 1.00",
    switch: "1 or 0",
    log_format: "console or json",
    approvers: "key, other or member",
    log_level: "DEBUG, INFO, WARNING or ERROR",
    database_url: "postgres://user:password@host:port/name",
    redis_url: "redis://host:port/0, rediss://… or unix://…",
    web_url: "http://… or https://…",
    https_url: "https://…",
}
