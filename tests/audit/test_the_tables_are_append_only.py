"""Rows are added, never changed nor deleted: not by the ORM, not by SQL."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from apps.audit import appendonly
from apps.audit.appendonly import AppendOnly
from apps.audit.models import AuditCheckpoint, AuditEvent
from tests.audit.cast import NOON, Record, sealed, sql
from tests.audit.conftest import both_databases, on


def refused(statement: str, *values: object) -> None:
    """The database refuses the statement, whoever sends it."""
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(statement, *values)


def test_the_orm_has_no_verb_that_changes_rows(recorded: Record) -> None:
    event = recorded()
    rows = AuditEvent.objects.all()
    event.reason = "something else"
    verbs: list[Callable[[], object]] = [
        lambda: rows.update(reason=""),
        lambda: rows.filter(pk=event.pk).delete(),
        lambda: rows.bulk_update([event], ["reason"]),
        lambda: rows.update_or_create(pk=event.pk, defaults={"reason": ""}),
        lambda: rows.bulk_create([event], update_conflicts=True, update_fields=["reason"], unique_fields=["id"]),
        lambda: AuditCheckpoint.objects.all().delete(),
    ]
    for verb in verbs:
        with pytest.raises(AppendOnly):
            verb()


@both_databases
def test_a_row_can_be_neither_saved_again_nor_deleted(recorded: Record) -> None:
    event = recorded()
    event.reason = "something else"
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        event.delete()
    assert AuditEvent.objects.get().reason == ""


@both_databases
def test_no_column_of_a_sealed_row_can_be_updated(recorded: Record) -> None:
    sealed(1)
    values = {"id": "0" * 32, "at": NOON.replace(year=2020), "position": 7, "digest": b"x", "seal": b"x"}
    for column in (field.column for field in AuditEvent._meta.concrete_fields):
        refused(f"UPDATE audit_auditevent SET {column} = %s", values.get(column, "other"))


@both_databases
def test_a_row_that_waits_for_its_seal_can_get_one_and_nothing_else(recorded: Record) -> None:
    recorded()
    refused("UPDATE audit_auditevent SET reason = 'x'")
    refused("UPDATE audit_auditevent SET position = 1")
    refused("UPDATE audit_auditevent SET position = 1, seal = %s, reason = 'x'", b"s")
    sql("UPDATE audit_auditevent SET position = 1, seal = %s", b"s")
    refused("UPDATE audit_auditevent SET position = NULL, seal = NULL")


@both_databases
def test_rows_cannot_be_deleted_with_or_without_a_cut_elsewhere(recorded: Record) -> None:
    sealed(3)
    refused("DELETE FROM audit_auditevent")
    refused("DELETE FROM audit_auditevent WHERE position = 3")
    cut = {"position": 2, "seal": b"s", "before": NOON, "at": NOON, "key_id": "k", "mac": b"m"}
    AuditCheckpoint.objects.create(**cut)
    refused("DELETE FROM audit_auditevent WHERE position = 3")
    sql("DELETE FROM audit_auditevent WHERE position <= 2")
    refused("DELETE FROM audit_auditcheckpoint")
    refused("UPDATE audit_auditcheckpoint SET position = 3")


@both_databases
def test_a_row_cannot_be_inserted_as_already_sealed(recorded: Record) -> None:
    event = recorded()
    event.pk, event.position, event.seal = event.pk.__class__(int=1), 1, b"s"
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


@on("postgresql")
def test_the_tables_cannot_be_truncated(recorded: Record) -> None:
    recorded()
    refused("TRUNCATE audit_auditevent")
    refused("TRUNCATE audit_auditcheckpoint")


@both_databases
def test_a_flush_still_empties_the_database_and_leaves_the_guards(recorded: Record) -> None:
    recorded()
    call_command("flush", interactive=False, verbosity=0)
    assert not AuditEvent.objects.exists()
    assert appendonly.missing(connection) == []


@both_databases
def test_a_guard_that_is_gone_or_weakened_is_missed(recorded: Record) -> None:
    assert appendonly.missing(connection) == []
    with transaction.atomic():
        appendonly.remove(connection, [appendonly.EVENTS])
        weaker = appendonly.Guard(table=appendonly.EVENTS.table, delete_if="1 = 1")
        appendonly.install(connection, [weaker])
        assert "audit_auditevent_no_delete" in appendonly.missing(connection)
        transaction.set_rollback(True)
