"""Tables to which rows are only added: the ORM's bulk verbs are refused here, everything else by triggers.

A superuser of the database can drop a trigger, or disable it; `audit_verify` finds both, and what was done meanwhile.
A migration that makes SQLite build a guarded table anew loses its triggers: it has to call `install` again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

M = TypeVar("M", bound=models.Model)


class AppendOnly(Exception):
    """Rows of this table are neither changed nor deleted."""


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Refuses every verb that changes or deletes rows. A row's own `save` and `delete` are refused by the triggers."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly(f"{self.model._meta.verbose_name} rows are append-only")

    update = delete = bulk_update = update_or_create = _refuse
    aupdate = adelete = abulk_update = aupdate_or_create = _refuse

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[M]:
        """Adds rows. Raises AppendOnly when told to overwrite those that are there."""
        if kwargs.get("update_conflicts"):
            self._refuse()
        return super().bulk_create(objs, *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the triggers of one table let pass. The conditions are SQL that both databases understand."""

    table: str
    frozen: tuple[str, ...] = ()
    """Columns that no UPDATE may touch. Empty: no UPDATE at all."""
    update_if: str = ""
    """Further condition over OLD and NEW under which an UPDATE passes."""
    delete_if: str = ""
    """Condition over OLD under which a DELETE passes."""
    insert_if: str = ""
    """Condition over NEW under which an INSERT passes."""

    def refusals(self, same: str) -> dict[str, str]:
        """For each kind of statement, when to refuse it. `same` compares two values, with NULL equal to NULL."""
        unchanged = [f'OLD."{column}" {same} NEW."{column}"' for column in self.frozen]
        allowed = {
            "update": " AND ".join([*filter(None, [self.update_if]), *unchanged]) or "FALSE",
            "delete": self.delete_if or "FALSE",
            "insert": self.insert_if,
        }
        # IS NOT TRUE, as a comparison with NULL must refuse too.
        return {verb: f"({condition}) IS NOT TRUE" for verb, condition in allowed.items() if condition}


EVENTS = Guard(
    table="audit_auditevent",
    frozen=(
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
        "key_id",
        "digest",
    ),
    # The sealer's columns go from nothing to a value, once. Retention deletes what a checkpoint covers.
    update_if="OLD.position IS NULL AND OLD.seal IS NULL AND NEW.position IS NOT NULL AND NEW.seal IS NOT NULL",
    delete_if="OLD.position IS NOT NULL AND OLD.position <= (SELECT max(position) FROM audit_auditcheckpoint)",
    insert_if="NEW.position IS NULL AND NEW.seal IS NULL",
)
CHECKPOINTS = Guard(table="audit_auditcheckpoint")
GUARDS = (EVENTS, CHECKPOINTS)


def install(connection: BaseDatabaseWrapper, guards: Sequence[Guard] = GUARDS) -> None:
    """Put the triggers of these tables in place, once more where they are already."""
    _run(connection, [statement for guard in guards for statement in _creation(connection, guard)])


def remove(connection: BaseDatabaseWrapper, guards: Sequence[Guard] = GUARDS) -> None:
    """Take the triggers away."""
    _run(connection, [statement for guard in guards for statement in _removal(connection, guard)])


@contextmanager
def lifted(connection: BaseDatabaseWrapper, guards: Sequence[Guard] = GUARDS) -> Iterator[None]:
    """A transaction without the triggers, for `flush`, which empties every table. They are back before it commits."""
    with transaction.atomic(using=connection.alias):
        remove(connection, guards)
        yield
        install(connection, guards)


def missing(connection: BaseDatabaseWrapper, guards: Sequence[Guard] = GUARDS) -> list[str]:
    """The triggers that are not in place, disabled or not what `install` would make."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
                "WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
            )
        present = dict(cursor.fetchall())
    wanted = _sqlite_triggers if connection.vendor == "sqlite" else _postgres_bodies
    return [name for guard in guards for name, text in wanted(guard).items() if present.get(name) != text]


def install_all(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """`install`, as a migration calls it."""
    install(schema_editor.connection)


def remove_all(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """`remove`, as a migration calls it."""
    remove(schema_editor.connection)


def _run(connection: BaseDatabaseWrapper, statements: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _creation(connection: BaseDatabaseWrapper, guard: Guard) -> list[str]:
    if connection.vendor == "sqlite":
        return [*_removal(connection, guard), *_sqlite_triggers(guard).values()]
    functions = [
        f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $${body}$$'
        for name, body in _postgres_bodies(guard).items()
    ]
    return [*functions, *_removal(connection, guard), *_postgres_triggers(guard)]


def _removal(connection: BaseDatabaseWrapper, guard: Guard) -> list[str]:
    if connection.vendor == "sqlite":
        return [f'DROP TRIGGER IF EXISTS "{name}"' for name in _sqlite_triggers(guard)]
    return [f'DROP TRIGGER IF EXISTS "{name}" ON "{guard.table}"' for name in _postgres_bodies(guard)]


def _sqlite_triggers(guard: Guard) -> dict[str, str]:
    """The statement that makes each trigger, as SQLite keeps it."""
    return {
        f"{guard.table}_no_{verb}": f'CREATE TRIGGER "{guard.table}_no_{verb}" BEFORE {verb.upper()} '
        f"ON \"{guard.table}\" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{guard.table} is append-only'); END"
        for verb, condition in guard.refusals("IS").items()
    }


def _postgres_bodies(guard: Guard) -> dict[str, str]:
    """The functions of the triggers. They hold the conditions, as a WHEN clause may not look into another table."""
    refusals = guard.refusals("IS NOT DISTINCT FROM") | {"truncate": "TRUE"}
    refuse = f"RAISE EXCEPTION '{guard.table} is append-only' USING ERRCODE = 'restrict_violation'"
    return {
        f"{guard.table}_no_{verb}": f" BEGIN IF {condition} THEN {refuse}; END IF; "
        f"RETURN {'OLD' if verb == 'delete' else 'NEW'}; END "
        for verb, condition in refusals.items()
    }


def _postgres_triggers(guard: Guard) -> list[str]:
    return [
        f'CREATE TRIGGER "{name}" BEFORE {name.rpartition("_")[2].upper()} ON "{guard.table}" '
        f'FOR EACH {"STATEMENT" if name.endswith("truncate") else "ROW"} EXECUTE FUNCTION "{name}"()'
        for name in _postgres_bodies(guard)
    ]
