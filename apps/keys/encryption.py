"""Secrets that have to be computed with, and therefore cannot be kept as digests: encrypted in the database.

AES-256-GCM under a key that is derived from SECRET_KEY: a stolen table, backup or replica alone gives none of them
away. What was written under a key of SECRET_KEY_FALLBACKS can still be read. The purpose is authenticated too, so that
nothing that was encrypted for one column is read from another.
"""

import base64
import hmac
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

PREFIX = "enc1:"
_NONCE = 12


class Undecryptable(Exception):
    """It was not encrypted by this install, or under a secret key that this install does not have any more."""

    def __init__(self) -> None:
        super().__init__(
            "A stored secret cannot be read: DJANGO_SECRET_KEY has changed. Put the old one into "
            "DJANGO_SECRET_KEY_FALLBACKS, or set the secret anew."
        )


def encrypt(plain: bytes, *, purpose: str) -> str:
    """`enc1:` and base 64 of nonce, text and tag: 43 characters more than four thirds of `plain`, at most."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = _cipher(settings.SECRET_KEY).encrypt(nonce, plain, purpose.encode())
    return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(text: str, *, purpose: str) -> bytes:
    """What was encrypted for that purpose. Raises Undecryptable."""
    if not text.startswith(PREFIX):
        raise Undecryptable
    try:
        kept = base64.urlsafe_b64decode(text.removeprefix(PREFIX))
    except ValueError:
        raise Undecryptable from None
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(secret_key).decrypt(kept[:_NONCE], kept[_NONCE:], purpose.encode())
        except (InvalidTag, ValueError):
            continue
    raise Undecryptable


@lru_cache(maxsize=8)
def _cipher(secret_key: str) -> AESGCM:
    return AESGCM(hmac.digest(secret_key.encode(), b"claude-code-api-service encryption v1", "sha256"))


if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text that the database has encrypted; empty stays empty, and nothing but emptiness can be searched for."""

    def __init__(self, *args: Any, purpose: str, **options: Any) -> None:
        self.purpose = purpose
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        """As every field's, with the purpose."""
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "purpose": self.purpose}

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way into the database."""
        text = super().get_prep_value(value)
        return encrypt(text.encode(), purpose=self.purpose) if text else text

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> str | None:
        """Decrypt on the way out. Raises Undecryptable."""
        return decrypt(value, purpose=self.purpose).decode() if value else value
