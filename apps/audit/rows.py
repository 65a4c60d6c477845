"""Rows as the chain sees them: written by one statement, read back as the texts that were digested.

Both go around the ORM: every deed pays for writing, and verification reads millions. Reading plain text also survives
whatever somebody put into a column.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

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
_INSERTED: Final = (*CONTENT, "key_id", "digest")
_INSERT: Final = f"INSERT INTO audit_auditevent ({', '.join(_INSERTED)}) VALUES ({', '.join(['%s'] * len(_INSERTED))})"  # noqa: S608
_FIELDS: Final = (*_INSERTED, "position", "seal")
_REST: Final = ", ".join([*CONTENT[2:], "key_id", "digest", "position", "seal"])
_SELECT: Final = {
    # SQLite's times are texts, without a fraction when it is zero. A position that is no number is none.
    "sqlite": f"SELECT id, CASE length(at) WHEN 19 THEN at || '.000000' ELSE at END, {_REST} FROM audit_auditevent "  # noqa: S608
    "WHERE typeof(position) IN ('integer', 'null')",
    "postgresql": f"SELECT replace(id::text, '-', ''), to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), "  # noqa: S608
    f"{_REST} FROM audit_auditevent WHERE TRUE",
}


class Row(NamedTuple):
    """What the chain needs of a row; a plain tuple, as millions pass."""

    content: tuple[str, ...]
    key_id: str
    digest: bytes
    position: int | None
    seal: bytes | None

    @property
    def at(self) -> str:
        """Its time, as `chain.moment` writes times."""
        return self.content[1]

    def untouched(self, ring: chain.Keyring) -> bool:
        """Whether the content still has the digest that its writer gave it."""
        key = ring.keys.get(self.key_id)
        return key is not None and self.digest == chain.digest(key, self.content)


def insert(event_id: UUID, at: datetime, texts: Sequence[str], ring: chain.Keyring) -> AuditEvent:
    """Write a row; `texts` are the other columns of CONTENT in their order."""
    key_id = ring.current
    digest = chain.digest(ring.keys[key_id], [event_id.hex, chain.moment(at), *texts])
    with connection.cursor() as cursor:
        written_at = connection.ops.adapt_datetimefield_value(at)
        cursor.execute(_INSERT, [event_id.hex, written_at, *texts, key_id, digest])
    return AuditEvent.from_db(connection.alias, _FIELDS, [event_id, at, *texts, key_id, digest, None, None])


def after(position: int, limit: int) -> list[Row]:
    """The next sealed rows, in the order of the chain."""
    return _read("AND position > %s ORDER BY position LIMIT %s", (position, limit))


def unsealed(after_id: str, limit: int) -> list[Row]:
    """The next rows without a position, in the order of their ids (hex digits)."""
    return _read("AND position IS NULL AND id > %s ORDER BY id LIMIT %s", (after_id, limit))


def one(event_id: UUID) -> Row | None:
    """A row by its id."""
    found = _read("AND id = %s", (event_id.hex,))
    return found[0] if found else None


def waiting(limit: int) -> list[tuple[object, bytes, str]]:
    """What a sealer needs of rows without a position: id as the database has it, digest and key id; oldest id first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, digest, key_id FROM audit_auditevent WHERE position IS NULL ORDER BY id LIMIT %s", [limit]
        )
        return [(event_id, _bytes(digest), key_id) for event_id, digest, key_id in cursor.fetchall()]


def link(links: Sequence[tuple[int, bytes, object]]) -> int:
    """Write positions and seals to rows (by id) that have none. How many had none."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE audit_auditevent SET position = %s, seal = %s WHERE id = %s AND position IS NULL",
            links,  # type: ignore[arg-type]
        )
        linked: int = cursor.rowcount
    return linked


def _read(condition: str, values: Sequence[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT[connection.vendor]} {condition}", values)
        return [
            Row(tuple(content), key_id, _bytes(digest), position, _bytes(seal))
            for *content, key_id, digest, position, seal in cursor.fetchall()
        ]


def _bytes(value: object) -> bytes:
    """A column of bytes; anything else that SQLite lets stand there is no digest of ours."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
