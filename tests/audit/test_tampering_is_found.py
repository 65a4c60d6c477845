"""A superuser of the database who lifts the triggers, edits and puts them back is found out by the broken row."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from apps.audit import anchors, appendonly, chain, services, verification
from apps.audit.models import AuditEvent, AuditHead
from apps.audit.rows import CONTENT
from tests.audit.cast import NOON, Record, assert_whole, first_finding, sealed, superuser
from tests.audit.conftest import both_databases

EDITS: dict[str, object] = {
    "id": uuid.UUID(int=7).hex,
    "at": NOON + timedelta(microseconds=1),
    "data_text": '{"amount": 1}',
    "ip": "10.0.0.1",
}


@both_databases
def test_an_untouched_record_is_whole(recorded: Record) -> None:
    sealed(5)
    recorded()
    report = assert_whole()
    assert (report.rows, report.unsealed, report.last) == (5, 1, 5)


def test_an_empty_record_is_whole(recorded: Record) -> None:
    assert_whole()


@pytest.mark.parametrize("column", [*CONTENT, "key_id", "digest"])
def test_an_edit_of_any_column_is_found(recorded: Record, column: str) -> None:
    sealed(3)
    value = b"x" * 32 if column == "digest" else EDITS.get(column, "other")
    with superuser() as sql:
        sql(f"UPDATE audit_auditevent SET {column} = %s WHERE position = 2", value)
    finding = first_finding()
    assert finding.position == 2
    assert finding.kind == ("unknown_key" if column == "key_id" else "edited")


def test_text_moved_from_one_column_to_the_next_is_found(recorded: Record) -> None:
    sealed(1)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET actor = 'user:alicekey.', action = 'issued'")
    assert first_finding().kind == "edited"


def test_a_seal_depends_on_everything_it_binds() -> None:
    ours = (b"key", chain.GENESIS, 7, b"digest")
    others = [
        (b"yek", *ours[1:]),
        (b"key", b"\x01" * 32, 7, b"digest"),
        (*ours[:2], 8, b"digest"),
        (*ours[:3], b"other"),
    ]
    assert len({chain.seal(*one) for one in [ours, *others]}) == 5


@both_databases
def test_an_edit_of_a_sealed_row_is_found(recorded: Record) -> None:
    sealed(3)
    row = AuditEvent.objects.get(position=2)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET outcome = 'refused' WHERE position >= 2")
    report = verification.verify()
    assert [(finding.kind, finding.position) for finding in report.findings] == [("edited", 2), ("edited", 3)]
    assert str(row.id) in str(report.findings[0])


@both_databases
def test_an_edit_of_a_row_that_is_not_sealed_yet_is_found(recorded: Record) -> None:
    event = recorded()
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET actor = 'user:bob'")
    assert (first_finding().kind, first_finding().event_id) == ("forged", str(event.id))
    services.seal(now=NOON)
    assert (first_finding().kind, first_finding().position) == ("edited", 1)


@both_databases
def test_a_deleted_row_is_found(recorded: Record) -> None:
    sealed(4)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position IN (2, 3)")
    assert str(first_finding()) == "position 2: the rows from here to position 3 were deleted"


@both_databases
def test_a_deleted_row_is_found_when_the_rest_moves_up(recorded: Record) -> None:
    sealed(4)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position = 2")
        sql("UPDATE audit_auditevent SET position = 2 WHERE position = 3")
        sql("UPDATE audit_auditevent SET position = 3 WHERE position = 4")
    assert (first_finding().kind, first_finding().position) == ("moved", 2)


@both_databases
def test_rows_that_changed_places_are_found(recorded: Record) -> None:
    sealed(4)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET position = 99 WHERE position = 2")
        sql("UPDATE audit_auditevent SET position = 2 WHERE position = 3")
        sql("UPDATE audit_auditevent SET position = 3 WHERE position = 99")
    assert (first_finding().kind, first_finding().position) == ("moved", 2)


@both_databases
def test_a_row_inserted_by_hand_is_found(recorded: Record) -> None:
    sealed(2)
    columns = ", ".join(CONTENT[1:])
    with superuser() as sql:
        sql(
            f"INSERT INTO audit_auditevent (id, {columns}, key_id, digest) "
            f"SELECT %s, {columns}, key_id, digest FROM audit_auditevent WHERE position = 1",
            uuid.uuid4() if connection.vendor == "postgresql" else uuid.uuid4().hex,
        )
    assert first_finding().kind == "forged"
    services.seal(now=NOON)
    assert (first_finding().kind, first_finding().position) == ("edited", 3)


@both_databases
def test_a_chain_that_was_computed_with_another_key_is_found(recorded: Record, settings: Settings) -> None:
    settings.SECRET_KEY, ours = "the key of somebody who can write the whole chain", settings.SECRET_KEY
    sealed(2)
    settings.SECRET_KEY = ours
    finding = first_finding()
    assert (finding.kind, finding.position) == ("unknown_key", 1)


def test_rows_stay_provable_when_the_secret_key_is_changed_and_kept_as_a_fallback(
    recorded: Record, settings: Settings
) -> None:
    sealed(2)
    recorded(target_id="written before, sealed after")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the next key", [settings.SECRET_KEY]
    recorded(target_id="written after")
    services.seal(now=NOON + timedelta(hours=1))
    assert assert_whole().rows == 4


@both_databases
def test_rows_cut_off_the_end_are_missed_by_the_head_row(recorded: Record) -> None:
    sealed(4)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position > 2")
    assert (first_finding().kind, first_finding().position) == ("cut_off", 3)
    recorded()
    services.seal(now=NOON)
    assert str(first_finding()) == "position 3: the rows from here to position 4 were deleted"


def _cut_off_with_the_head_row() -> None:
    """Back to what the database was at position 2, its head row included."""
    sealed(2)
    old = AuditHead.objects.values_list("position", "seal", "at", "mac").get()
    sealed(2)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position > 2")
        sql("UPDATE audit_audithead SET position = %s, seal = %s, at = %s, mac = %s", *old)


@both_databases
def test_rows_cut_off_with_the_head_row_are_missed_by_an_exported_head(recorded: Record) -> None:
    exported = sealed(2)
    assert exported.position == 2
    later = sealed(2)
    old = AuditEvent.objects.get(position=2)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position > 2")
    ring = chain.keyring()
    back = chain.Head(2, bytes(old.seal or b""), exported.at)
    AuditHead.objects.update(position=2, seal=back.seal, at=back.at, mac=back.mac(ring))
    assert verification.verify(heads=[("head.json", exported)]).whole
    finding = first_finding(heads=[("head.json", later)])
    assert (finding.kind, finding.position) == ("cut_off", 3)


@both_databases
def test_rows_cut_off_with_the_head_row_are_missed_by_the_anchored_heads(recorded: Record) -> None:
    _cut_off_with_the_head_row()
    assert_whole()  # the younger head was not a minute old: nothing outside the database knows of it
    for late in range(2):
        recorded()
        head = services.seal(now=NOON + timedelta(minutes=5 * late + 5))
    old = AuditHead.objects.values_list("position", "seal", "at", "mac").get()
    recorded()
    services.seal(now=NOON + timedelta(minutes=30))
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position > %s", head.position)
        sql("UPDATE audit_audithead SET position = %s, seal = %s, at = %s, mac = %s", *old)
    finding = first_finding()
    assert (finding.kind, finding.position) == ("cut_off", head.position + 1)
    assert "heads-2026-11.jsonl:" in finding.what


@both_databases
def test_a_chain_that_grew_again_after_a_cut_is_not_the_anchored_one(recorded: Record) -> None:
    _cut_off_with_the_head_row()
    head = services.seal(now=NOON)
    anchored = chain.Head(head.position + 1, b"s" * 32, NOON)
    recorded()
    services.seal(now=NOON)
    finding = first_finding(heads=[("head.json", anchored)])
    assert "rewritten" in finding.what
    assert finding.position == anchored.position


@both_databases
def test_a_deleted_head_row_is_found_and_leaves_a_hole(recorded: Record) -> None:
    sealed(3)
    AuditHead.objects.all().delete()
    assert first_finding().kind == "head"
    recorded()
    services.seal(now=NOON)
    assert (first_finding().kind, first_finding().position) == ("missing", 4)


@both_databases
def test_an_edited_head_row_is_found_and_leaves_a_hole(recorded: Record) -> None:
    sealed(3)
    AuditHead.objects.update(position=2)
    assert (first_finding().kind, first_finding().position) == ("head", 2)
    recorded()
    services.seal(now=NOON)
    assert (first_finding().kind, first_finding().position) == ("missing", 4)


@both_databases
def test_a_row_taken_out_of_the_chain_leaves_a_hole(recorded: Record) -> None:
    sealed(3)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET position = NULL, seal = NULL WHERE position = 2")
    services.seal(now=NOON)
    assert (first_finding().kind, first_finding().position) == ("missing", 2)


@both_databases
def test_a_guard_that_was_not_put_back_is_named(recorded: Record) -> None:
    sealed(1)
    appendonly.remove(connection)
    try:
        findings = [finding.what for finding in verification.verify().findings]
    finally:
        appendonly.install(connection)
    assert any("audit_auditevent_no_update" in what for what in findings)


def test_a_line_of_the_anchors_that_was_edited_is_named(recorded: Record) -> None:
    sealed(2)
    (file,) = anchors._files()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"position": 1}) + "\n{}\n")
    whats = [finding.what for finding in verification.verify().findings]
    assert [what.split(":")[:2] for what in whats] == [["heads-2026-11.jsonl", "1"], ["heads-2026-11.jsonl", "2"]]


def test_every_finding_is_counted_and_the_first_are_listed(recorded: Record) -> None:
    sealed(60)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET reason = 'x'")
    report = verification.verify()
    assert (report.broken, len(report.findings), report.findings[0].position) == (60, 50, 1)
