"""Whether one row is what was written; the chain around it is for `verification`."""

from apps.audit import chain, rows
from apps.audit.findings import Finding, content_finding
from apps.audit.models import AuditEvent


def of(event: AuditEvent) -> Finding | None:
    """What is wrong with the row's content, if anything is."""
    ring = chain.keyring()
    row = rows.one(event.id)
    return None if row is None or row.untouched(ring) else content_finding(row, ring)
