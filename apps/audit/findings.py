"""What can be wrong with the record, and how one row is judged by its predecessor."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from apps.audit import chain
from apps.audit.rows import Row

Kind = Literal[
    "edited", "forged", "missing", "moved", "unknown_key", "cut_off", "head", "retention", "guard", "below_cut"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the service left it."""

    kind: Kind
    what: str
    position: int | None = None
    event_id: str | None = None

    def __str__(self) -> str:
        where = f"position {self.position}: " if self.position is not None else ""
        row = f" (row {self.event_id})" if self.event_id else ""
        return f"{where}{self.what}{row}"

    def to_json(self) -> dict[str, Any]:
        """As `audit_verify --json` prints it."""
        return {"kind": self.kind, "what": self.what, "position": self.position, "event_id": self.event_id}


def judge(row: Row, *, after: int, previous: bytes | None, ring: chain.Keyring) -> Finding | None:
    """What is wrong with a sealed row that follows position `after`; `previous` is the seal there, None if unknown."""
    position = row.position or 0
    if position != after + 1:
        return _gap(row, position, after)
    if not row.untouched(ring):
        return content_finding(row, ring)
    if previous is not None and row.seal != chain.seal(ring.key(row.key_id), previous, position, row.digest):
        return Finding(
            "moved", "this is not the row that was sealed here: moved, or its seal was edited", position, _id(row)
        )
    return None


def content_finding(row: Row, ring: chain.Keyring) -> Finding:
    """For a row whose content is not under its digest."""
    if row.key_id not in ring.keys:
        what = f"written under the key {row.key_id}, which is neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS"
        return Finding("unknown_key", what, row.position, _id(row))
    if row.position is None:
        return Finding("forged", "a row that is not sealed yet was inserted or edited by hand", None, _id(row))
    return Finding(
        "edited", "the content is not what was written: the row was edited or inserted by hand", row.position, _id(row)
    )


def _gap(row: Row, position: int, after: int) -> Finding:
    if position <= after:
        return Finding("moved", "a second row claims this position", position, _id(row))
    last = position - 1
    what = "the row here was deleted" if last == after + 1 else f"the rows from here to position {last} were deleted"
    return Finding("missing", what, after + 1)


def _id(row: Row) -> str:
    try:
        return str(UUID(row.content[0]))
    except ValueError:
        return row.content[0]
