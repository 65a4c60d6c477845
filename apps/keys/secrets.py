"""What a key looks like, and how it is digested. Pure: no database, no settings.

``ccs_live_<public id>_<secret>_<checksum>``: the public id (12 of [a-z0-9]) finds the row, the secret (32 of base 62,
190 bits) proves possession, the checksum (CRC-32 of all before it, base 62) lets typing errors and secret scanners be
decided without a database. The format follows GitHub's tokens.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from functools import lru_cache

PREFIX = "ccs_live_"
ID_LENGTH = 12
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_ALPHABET = string.ascii_lowercase + string.digits
_SHAPE = re.compile(
    rf"{PREFIX}([a-z0-9]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})_([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A well-formed key. `repr` never shows it."""

    public_id: str
    text: str

    def __repr__(self) -> str:
        return f"KeyText({self.public_id})"

    @property
    def last4(self) -> str:
        """The end of the secret part, to recognise a key by in a list."""
        return self.text.rsplit("_", 2)[1][-4:]


def generate() -> KeyText:
    """A new random key."""
    public_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))
    body = f"{PREFIX}{public_id}_{secret}"
    return KeyText(public_id, f"{body}_{checksum(body)}")


def parse(text: str) -> KeyText | None:
    """The key in `text`, or None where shape or checksum are wrong."""
    match = _SHAPE.fullmatch(text)
    if match is None or checksum(text.rpartition("_")[0]) != match[3]:
        return None
    return KeyText(match[1], text)


def checksum(body: str) -> str:
    """CRC-32 of `body` as six base-62 digits."""
    number, digits = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


@lru_cache(maxsize=16)
def pepper(secret_key: str) -> bytes:
    """The server-side secret of the digests, derived from SECRET_KEY so that a stolen table alone proves nothing."""
    return hmac.digest(secret_key.encode(), b"claude-code-api-service keys pepper v1", hashlib.sha256)


def digest(text: str, *, pepper: bytes) -> str:
    """What is stored of a key: HMAC-SHA256 in hex."""
    return hmac.digest(pepper, text.encode(), hashlib.sha256).hex()
