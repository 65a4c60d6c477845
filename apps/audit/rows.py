"""A row's content as it is digested, and whether a row still is what was written."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from django.db import connection

from apps.audit import chain
from apps.audit.models import AuditEvent

CONTENT: Final = (
    "id",
    "at",
    "actor",
    "action",
    "target_type",
    "target_id",
    "project_id",
    "outcome",
    "reason",
    "ip",
    "request_id",
    "data_text",
)
"""The columns under the digest, in its order."""
LINK: Final = ("key_id", "digest", "position", "seal")
_INSERTED: Final = (*CONTENT, "key_id", "digest")
_INSERT: Final = f"INSERT INTO audit_auditevent ({', '.join(_INSERTED)}) VALUES ({', '.join(['%s'] * len(_INSERTED))})"  # noqa: S608


class Row(NamedTuple):
    """What the chain needs of a row; a plain tuple, as millions pass."""

    content: Sequence[Any]
    key_id: str
    digest: bytes
    position: int | None
    seal: bytes | None

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Row":
        """From the columns CONTENT and LINK."""
        *content, key_id, digest, position, seal = values
        return cls(content, key_id, bytes(digest or b""), position, None if seal is None else bytes(seal))

    def untouched(self, ring: chain.Keyring) -> bool:
        """Whether the content still has the digest that its writer gave it."""
        key = ring.keys.get(self.key_id)
        return key is not None and self.digest == content_digest(key, self.content)


def content_digest(key: bytes, content: Sequence[Any]) -> bytes:
    """The digest of the columns CONTENT as the ORM reads them."""
    event_id, at, *texts = content
    return chain.digest(key, [event_id.hex, chain.moment(at), *texts])


def event_digest(event: AuditEvent, ring: chain.Keyring) -> bytes:
    """The digest of a row that is about to be written."""
    return content_digest(ring.key(event.key_id), [getattr(event, name) for name in CONTENT])


def insert(event: AuditEvent) -> None:
    """Write the row. Every deed pays for this, and `save` would cost it more than twice as much."""
    values = [getattr(event, name) for name in _INSERTED]
    values[0] = event.id if connection.features.has_native_uuid_field else event.id.hex
    values[1] = connection.ops.adapt_datetimefield_value(event.at)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
    event._state.adding, event._state.db = False, connection.alias
