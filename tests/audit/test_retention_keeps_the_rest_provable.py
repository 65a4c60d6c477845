"""Old rows go, on purpose and on record; what stays is still one chain from the cut on."""

from datetime import timedelta

import pytest
from django.db import connection

from apps.audit import anchors, appendonly, retention, rows, services, verification
from apps.audit.models import AuditCheckpoint, AuditEvent
from apps.audit.retention import Broken, Pruned, prune
from tests.audit.cast import NOON, Record, assert_whole, first_finding, sealed, superuser
from tests.audit.conftest import both_databases

LATER = NOON + timedelta(days=1)


def cut(*, seconds: int, broken_too: bool = False) -> Pruned:
    """Delete what is older than so many seconds after noon; then seal what that recorded."""
    before = NOON + timedelta(seconds=seconds)
    pruned = prune(before=before, actor="command:audit_prune", broken_too=broken_too, now=LATER)
    services.seal(now=LATER)
    return pruned


@both_databases
def test_rows_before_the_date_go_and_the_rest_is_provable(recorded: Record) -> None:
    sealed(6)
    assert cut(seconds=4) == Pruned(rows=4, position=4)
    report = assert_whole()
    assert (report.cut, report.rows, report.last) == (4, 3, 7)
    assert appendonly.missing(connection) == []


@both_databases
def test_many_rows_go_in_batches_and_again_later(recorded: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    sealed(9)
    assert cut(seconds=5) == Pruned(rows=5, position=5)
    assert_whole()
    assert cut(seconds=8) == Pruned(rows=3, position=8)
    assert cut(seconds=8) == Pruned(rows=0, position=8)
    assert assert_whole().cut == 8


def test_a_cut_is_on_record_once_with_who_made_it(recorded: Record) -> None:
    sealed(3)
    cut(seconds=2)
    event = AuditEvent.objects.get(action="audit.pruned")
    assert (event.actor, event.data) == ("command:audit_prune", {"older_than": "2026-11-22T12:00:02+00:00"})
    cut(seconds=2)
    assert AuditEvent.objects.filter(action="audit.pruned").count() == 1


def test_an_old_row_behind_a_younger_one_waits_for_it(recorded: Record) -> None:
    sealed(2)
    recorded(target_id="late", now=NOON - timedelta(days=9))
    services.seal(now=NOON)
    assert cut(seconds=1) == Pruned(rows=1, position=1)
    assert AuditEvent.objects.filter(target_id="late").exists()
    assert_whole()


@both_databases
def test_everything_can_go_and_the_chain_goes_on(recorded: Record) -> None:
    sealed(3)
    assert cut(seconds=60).position == 3
    recorded()
    services.seal(now=LATER)
    report = assert_whole()
    assert (report.cut, report.rows, report.last) == (3, 2, 5)


@both_databases
def test_broken_rows_are_not_deleted_unless_told_so(recorded: Record) -> None:
    sealed(4)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET reason = 'x' WHERE position = 2")
    with pytest.raises(Broken, match="position 2"):
        cut(seconds=3)
    assert AuditEvent.objects.count() == 4
    assert cut(seconds=3, broken_too=True).rows == 3
    assert_whole()


@both_databases
def test_rows_deleted_by_hand_with_a_cut_of_their_own_are_found(recorded: Record) -> None:
    sealed(4)
    seal = bytes(AuditEvent.objects.get(position=2).seal or b"")
    AuditCheckpoint.objects.create(position=2, seal=seal, before=NOON, at=NOON, key_id="00000000", mac=b"m" * 32)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position <= 2")
    report = verification.verify()
    assert [(finding.kind, finding.position) for finding in report.findings] == [("retention", 2), ("missing", 1)]


@both_databases
def test_a_deleted_cut_is_found(recorded: Record) -> None:
    sealed(4)
    cut(seconds=2)
    with superuser() as sql:
        sql("DELETE FROM audit_auditcheckpoint")
    assert str(first_finding()) == "position 1: the rows from here to position 2 were deleted"


@both_databases
def test_a_row_put_back_below_the_cut_is_found(recorded: Record) -> None:
    sealed(4)
    old = AuditEvent.objects.get(position=2)
    cut(seconds=2)
    with superuser():
        old.save(force_insert=True)
    assert (first_finding().kind, first_finding().position) == ("below_cut", 2)


def test_retention_that_passes_while_a_verification_walks_is_no_finding(
    recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(6)
    look = rows.after
    cuts = [4]

    def look_and_cut(position: int, limit: int) -> list[rows.Row]:
        found = look(position, 1)
        if cuts:
            cut(seconds=cuts.pop())
        return found

    monkeypatch.setattr(rows, "after", look_and_cut)
    report = assert_whole()
    assert (report.cut, report.last) == (4, 7)


def test_heads_from_before_the_cut_are_noted_and_their_files_go_in_time(recorded: Record) -> None:
    head = sealed(3)
    assert [file.name for file in anchors._files()] == ["heads-2026-11.jsonl"]
    later = NOON + timedelta(days=40)
    recorded(now=later)
    services.seal(now=later)
    prune(before=later, actor="command:audit_prune", now=later)
    assert [file.name for file in anchors._files()] == ["heads-2027-01.jsonl"]
    assert verification.verify(heads=[("head.json", head)]).notes
    assert_whole()
