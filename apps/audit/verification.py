"""Proves that the record is what the service wrote, or names the first row that is not. Reads; changes nothing.

Millions of rows pass in batches: memory stays small, nothing is locked, deeds and retention go on meanwhile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection

from apps.audit import anchors, appendonly, chain, rows, sealing
from apps.audit.findings import Finding, content_finding, judge
from apps.audit.models import AuditCheckpoint, AuditEvent, AuditHead
from apps.audit.retention import cut_of, latest_cut

BATCH = 2000
MOST_FINDINGS = 50
_LOWEST_ID = "0" * 32


@dataclass(slots=True)
class Report:
    """What a verification saw."""

    rows: int = 0
    unsealed: int = 0
    cut: int = 0
    """Rows up to this position were deleted by retention."""
    last: int = 0
    anchors: int = 0
    broken: int = 0
    findings: list[Finding] = field(default_factory=list)
    """The first MOST_FINDINGS of them, rows in the order of the chain before everything else."""
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken

    def add(self, finding: Finding) -> None:
        """One more thing that is wrong."""
        self.broken += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def to_json(self) -> dict[str, Any]:
        """As `audit_verify --json` prints it."""
        return {
            "whole": self.whole,
            "rows": self.rows,
            "unsealed": self.unsealed,
            "cut": self.cut,
            "last": self.last,
            "anchors": self.anchors,
            "broken": self.broken,
            "findings": [finding.to_json() for finding in self.findings],
            "notes": self.notes,
        }


def verify(*, heads: Iterable[tuple[str, chain.Head]] = ()) -> Report:
    """Check every row, the head, retention cuts, triggers, anchored heads, and those given along with their source.

    Seal before, so that what is committed is in the chain.
    """
    ring, report = chain.keyring(), Report()
    head_row = AuditHead.objects.order_by("pk").first()  # before the walk: the chain may only have grown since
    _walk(report, ring)
    _check_head_row(report, head_row, ring)
    _check_unsealed(report, ring)
    _check_heads(report, heads)
    _check_heads(report, _anchored(report, ring))
    for name in [*appendonly.missing(connection), *_missing_constraints()]:
        report.add(Finding("guard", f"{name}, which guards the tables, is not in place"))
    return report


def _walk(report: Report, ring: chain.Keyring) -> None:
    position: int
    previous: bytes | None
    position, previous = _start(report, ring)
    while batch := rows.after(position, BATCH):
        for row in batch:
            finding = judge(row, after=position, previous=previous, ring=ring)
            if finding is not None and finding.kind == "missing" and (cut := latest_cut(ring)).position > position:
                position, previous, report.cut = cut.position, cut.seal, cut.position  # retention passed by
                break
            if finding is not None:
                report.add(finding)
                if finding.kind == "missing" and not row.untouched(ring):
                    report.add(content_finding(row, ring))
            report.rows += 1
            position, previous = row.position or position, row.seal
    if (cut := latest_cut(ring)).position > position:
        position, report.cut = cut.position, cut.position
    report.last = position


def _start(report: Report, ring: chain.Keyring) -> tuple[int, bytes]:
    """The latest genuine retention cut, or the beginning. No row may lie below it; no cut may be by somebody else."""
    cut = latest_cut(ring)
    for row in AuditCheckpoint.objects.order_by("position"):
        if not cut_of(row).genuine(row.key_id, row.mac, ring):
            report.add(Finding("retention", "a retention cut was inserted or edited by hand", row.position))
    below = AuditEvent.objects.filter(position__lte=cut.position).order_by("position")
    for event_id, position in below.values_list("id", "position")[:MOST_FINDINGS]:
        report.add(
            Finding("below_cut", "this row lies below the retention cut: it was put back", position, str(event_id))
        )
    report.cut = cut.position
    return cut.position, cut.seal


def _check_head_row(report: Report, row: AuditHead | None, ring: chain.Keyring) -> None:
    if row is None:
        if report.last:
            report.add(Finding("head", "the head row was deleted: what was cut off the end cannot be known from here"))
        return
    if not sealing.head_of(row).genuine(row.key_id, row.mac, ring):
        report.add(Finding("head", "the head row was edited by hand", row.position))
        return
    _check_heads(report, [("the head row", sealing.head_of(row))])


def _check_unsealed(report: Report, ring: chain.Keyring) -> None:
    last = _LOWEST_ID
    while batch := rows.unsealed(last, BATCH):
        for row in batch:
            report.unsealed += 1
            if not row.untouched(ring):
                report.add(content_finding(row, ring))
        last = batch[-1].content[0]


def _anchored(report: Report, ring: chain.Keyring) -> Iterator[tuple[str, chain.Head]]:
    for where, head in anchors.kept(ring):
        if isinstance(head, chain.BadHead):
            report.add(Finding("head", f"{where}: {head}"))
        else:
            report.anchors += 1
            yield where, head


def _check_heads(report: Report, heads: Iterable[tuple[str, chain.Head]]) -> None:
    """Every head that somebody kept must still be in the chain."""
    heads = iter(heads)
    while batch := list(islice(heads, 500)):
        positions = [head.position for _, head in batch]
        found = AuditEvent.objects.filter(position__in=positions).values_list("position", "seal")
        seals = {position: bytes(seal or b"") for position, seal in found}
        for where, head in batch:
            _check_head(report, where, head, seals.get(head.position))


def _check_head(report: Report, where: str, head: chain.Head, seal: bytes | None) -> None:
    if head.position <= report.cut:
        note = "Heads from before the retention cut can no longer be compared."
        report.notes += [note] if note not in report.notes else []
    elif head.position > max(report.last, 0) and seal is None:
        what = f"cut off: {where} of {head.at:%Y-%m-%d %H:%M:%S} UTC knows rows up to position {head.position}"
        report.add(Finding("cut_off", what, report.last + 1))
    elif seal != head.seal:
        what = (
            f"the chain was rewritten: {where} of {head.at:%Y-%m-%d %H:%M:%S} UTC holds another seal for this position"
        )
        report.add(Finding("cut_off", what, head.position))


def _missing_constraints() -> list[str]:
    """Without them a row could be there twice."""
    table = AuditEvent._meta.db_table
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    has_key = any(one["primary_key"] for one in found.values())
    position = found.get("audit_one_row_per_position")
    return [
        *([] if has_key else [f"the primary key of {table}"]),
        *([] if position and position["unique"] else ["audit_one_row_per_position"]),
    ]
