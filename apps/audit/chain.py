"""The arithmetic of the chain: keys, digests, seals and heads. Nothing here touches the database.

digest = MAC(key, content)                              made by the writer, in the deed's transaction
seal   = MAC(key, previous seal ‖ position ‖ digest)    made by a sealer, after the commit

The key is derived from the install's secret key: whoever can only edit the database cannot make either.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from django.conf import settings

FORMAT = 1
GENESIS = b"\x00" * 32
"""Stands where the first row's predecessor would."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that this install's digests may be made with: today's, and those of SECRET_KEY_FALLBACKS."""

    current: str
    keys: dict[str, bytes]

    def key(self, key_id: str) -> bytes:
        """The key of that id; today's for an id that nobody knows, under which nothing can be right."""
        return self.keys.get(key_id) or self.keys[self.current]


def keyring() -> Keyring:
    """The install's keys."""
    return _derived(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _derived(secret: str, fallbacks: tuple[str, ...]) -> Keyring:
    keys = [hmac.digest(one.encode(), b"apps.audit: the record's key", "sha256") for one in (secret, *fallbacks)]
    named = {hashlib.sha256(key).hexdigest()[:8]: key for key in keys}
    return Keyring(current=next(iter(named)), keys=named)


def digest(key: bytes, content: Sequence[str]) -> bytes:
    """The digest of a row's content: id (hex), time and then its other texts in the order of the table."""
    try:
        texts = "".join(content)
    except TypeError:  # SQLite lets anything stand in a column
        content = [str(one) for one in content]
        texts = "".join(content)
    # With their lengths, no content reads like another.
    return _mac(key, f"{FORMAT} {','.join(map(str, map(len, content)))} {texts}".encode())


def seal(key: bytes, previous: bytes, position: int, row_digest: bytes) -> bytes:
    """What links a row to the one before it."""
    return _mac(key, b"seal" + previous + position.to_bytes(8, "big", signed=True) + row_digest)


def moment(at: datetime) -> str:
    """A time as it is digested: UTC, to the microsecond, whatever the database made of it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _mac(key: bytes, message: bytes) -> bytes:
    """Keyed BLAKE2b (RFC 7693): a third of the cost of HMAC-SHA256 for messages this short."""
    return blake2b(message, digest_size=32, key=key).digest()


def _genuine(text: str, key_id: str, mac: bytes | memoryview, ring: Keyring) -> bool:
    return key_id in ring.keys and hmac.compare_digest(bytes(mac), _mac(ring.keys[key_id], text.encode()))


@dataclass(frozen=True, slots=True)
class Head:
    """The last link at some time: who keeps it elsewhere can prove later that the chain still holds it."""

    position: int
    seal: bytes
    at: datetime

    @property
    def _text(self) -> str:
        return f"head {self.position} {self.seal.hex()} {moment(self.at)}"

    def mac(self, ring: Keyring) -> bytes:
        """Proves that this install made the head."""
        return _mac(ring.keys[ring.current], self._text.encode())

    def genuine(self, key_id: str, mac: bytes | memoryview, ring: Keyring) -> bool:
        """Whether this install made the head."""
        return _genuine(self._text, key_id, mac, ring)

    def to_json(self, ring: Keyring) -> dict[str, Any]:
        """The head as files keep it."""
        return {
            "position": self.position,
            "seal": self.seal.hex(),
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "key_id": ring.current,
            "mac": self.mac(ring).hex(),
        }

    @classmethod
    def from_json(cls, data: Any, ring: Keyring) -> "Head":
        """The head of a file. Raises BadHead when it is none, or none that this install made."""
        try:
            head = cls(int(data["position"]), bytes.fromhex(data["seal"]), datetime.fromisoformat(data["at"]))
            genuine = head.genuine(str(data["key_id"]), bytes.fromhex(data["mac"]), ring)
        except (KeyError, TypeError, ValueError):
            raise BadHead("this is not a head of the chain") from None
        if not genuine:
            raise BadHead(f"the head at position {head.position} was not made by this install, or was edited")
        return head


class BadHead(Exception):
    """A head that this install did not make."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where retention ended: rows up to `position` are gone, and the next one is linked to `seal`."""

    position: int
    seal: bytes
    before: datetime
    at: datetime

    @property
    def _text(self) -> str:
        return f"cut {self.position} {self.seal.hex()} {moment(self.before)} {moment(self.at)}"

    def mac(self, ring: Keyring) -> bytes:
        """Proves that this install made the cut."""
        return _mac(ring.keys[ring.current], self._text.encode())

    def genuine(self, key_id: str, mac: bytes | memoryview, ring: Keyring) -> bool:
        """Whether this install made the cut."""
        return _genuine(self._text, key_id, mac, ring)
