"""The record as files: JSON lines with the head for auditors, CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from apps.audit import chain
from apps.audit.models import AuditEvent, AuditEventQuerySet

COLUMNS = (
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
    "data",
    "position",
)
CHUNK = 2000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def chosen(
    *, since: datetime | None = None, until: datetime | None = None, project: str = "", up_to: int
) -> AuditEventQuerySet:
    """The sealed rows to export, in the order of the chain: from `since` on, before `until`, up to a position."""
    rows = AuditEvent.objects.filter(position__isnull=False, position__lte=up_to)
    rows = rows.filter(at__gte=since) if since else rows
    rows = rows.filter(at__lt=until) if until else rows
    return (rows.filter(project_id=project) if project else rows).order_by("position")


def json_lines(rows: AuditEventQuerySet) -> Iterator[str]:
    """One line for each row, read while they are written."""
    for event in rows.iterator(chunk_size=CHUNK):
        yield json.dumps(as_json(event), ensure_ascii=False)


def last_line(head: chain.Head, *, rows: int) -> str:
    """Ends an export: the head it goes up to, for `audit_verify --head`, and how many rows came before."""
    return json.dumps({"head": head.to_json(chain.keyring()), "rows": rows})


def as_json(event: AuditEvent) -> dict[str, Any]:
    """Everything about a row, its place in the chain included."""
    return {
        **{name: getattr(event, name) for name in COLUMNS},
        "id": str(event.id),
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "key_id": event.key_id,
        "digest": bytes(event.digest).hex(),
        "seal": bytes(event.seal).hex() if event.seal else None,
    }


def csv_text(rows: AuditEventQuerySet) -> str:
    """Rows as CSV with a line of titles; no cell is a formula to a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for event in rows.iterator(chunk_size=CHUNK):
        values = {**as_json(event), "data": event.data_text}
        writer.writerow([safe_cell(values[name]) for name in COLUMNS])
    return file.getvalue()


def safe_cell(value: object) -> str:
    """A cell as text; what a spreadsheet would run as a formula is quoted."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
