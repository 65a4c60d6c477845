"""Deletes old rows so that the rest stays provable: a signed cut holds the seal that the next row is linked to."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.audit import anchors, chain, rows, services
from apps.audit.findings import Finding, judge
from apps.audit.models import AuditCheckpoint, AuditEvent

BATCH = 1000
"""Rows of one transaction: on SQLite, writers wait while it commits."""


class Broken(Exception):
    """The rows to delete do not prove themselves; deleting them would destroy the evidence."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What retention did: how many rows it deleted, and the position of the last one that is gone."""

    rows: int
    position: int


def prune(*, before: datetime, actor: str, broken_too: bool = False, now: datetime) -> Pruned:
    """Delete the rows at the beginning of the chain that are older than `before`. Seal first.

    It ends at the first row that is younger, so the rest stays one chain; recorded as `audit.pruned` before anything is
    deleted. Raises Broken at the first row that does not prove itself, unless told to delete broken rows too.
    """
    ring, deleted = chain.keyring(), 0
    cut = latest_cut(ring)
    while batch := _next_rows(cut, before=before, broken_too=broken_too, ring=ring):
        with transaction.atomic():
            if not deleted:
                _record(actor, before, now)
            cut = _cut(batch[-1], before=before, now=now, ring=ring)
            gone = AuditEvent.objects.filter(position__lte=cut.position)
            deleted += gone._raw_delete(gone.db)
    anchors.forget(cut.position, ring)
    return Pruned(rows=deleted, position=cut.position)


def cut_of(row: AuditCheckpoint) -> chain.Cut:
    """What a row of cuts says."""
    return chain.Cut(row.position, bytes(row.seal), row.before, row.at)


def latest_cut(ring: chain.Keyring) -> chain.Cut:
    """The last cut that this install made; one at position 0 if there is none."""
    for row in AuditCheckpoint.objects.order_by("-position"):
        if cut_of(row).genuine(row.key_id, row.mac, ring):
            return cut_of(row)
    return chain.Cut(0, chain.GENESIS, chain.NEVER, chain.NEVER)


def _next_rows(cut: chain.Cut, *, before: datetime, broken_too: bool, ring: chain.Keyring) -> list[rows.Row]:
    """The next rows to delete, each judged by its predecessor."""
    chosen: list[rows.Row] = []
    position, previous = cut.position, cut.seal
    for row in rows.after(cut.position, BATCH):
        if row.at >= chain.moment(before):
            break
        finding = judge(row, after=position, previous=previous, ring=ring)
        if finding is not None and not broken_too:
            raise Broken(finding)
        chosen.append(row)
        position, previous = row.position or position, row.seal or b""
    return chosen


def _cut(last: rows.Row, *, before: datetime, now: datetime, ring: chain.Keyring) -> chain.Cut:
    """Committed together with the deletion that it allows: the trigger lets go what a cut covers, and nothing else."""
    cut = chain.Cut(last.position or 0, last.seal or b"", before, now)
    AuditCheckpoint.objects.create(
        position=cut.position, seal=cut.seal, before=before, at=now, key_id=ring.current, mac=cut.mac(ring)
    )
    return cut


def _record(actor: str, before: datetime, now: datetime) -> None:
    services.record(actor=actor, action="audit.pruned", target_type="audit", data={"older_than": before}, now=now)
