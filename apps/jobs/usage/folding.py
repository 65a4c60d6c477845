"""Folding rows of single jobs into the sums of quarter hours, hours and days, by key and of all keys of a project.

The sweep does it; any number may.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from apps.jobs.rollups import PLACE, PROJECT_PLACE, SUMS, Rollup
from apps.jobs.usage.spans import TIERS

AT_ONCE = 5_000
FOLDING = 0x636375
_TAKE = "SELECT id FROM jobs_rollup WHERE span = 0 ORDER BY id LIMIT %s"


def _fold_into(table: str, place: Sequence[str], extra: Mapping[str, str]) -> str:
    """In the order of the constraint, so that two who fold at the same time never want two rows crosswise."""
    group = [name for name in place if name not in ("project_id", "span", "start", *extra)]
    sums = [f"{name} = sums.{name} + excluded.{name}" for name in SUMS]
    return f"""
        INSERT INTO {table} AS sums ({", ".join((*extra, "span", "start", "project_id", *group, *SUMS))})
        SELECT {"".join(f"{value}, " for value in extra.values())}%s, start / %s * %s AS beginning, project_id,
        {", ".join(group)}, {", ".join(f"SUM({name})" for name in SUMS)}
        FROM jobs_rollup WHERE id IN ({{ids}})
        GROUP BY beginning, project_id, {", ".join(group)}
        ORDER BY project_id, beginning, {", ".join(group)}
        ON CONFLICT ({", ".join(place)}) DO UPDATE SET {", ".join(sums)}
    """  # noqa: S608


_FOLDS = (
    _fold_into("jobs_rollup", PLACE, {"job_id": "''"}),
    _fold_into("jobs_projectrollup", PROJECT_PLACE, {}),
)
_DELETE = "DELETE FROM jobs_rollup WHERE id IN ({ids})"


def fold(*, limit: int = AT_ONCE) -> int:
    """Fold some rows; how many. Whoever reads meanwhile sees them folded or not folded, never twice or not at all."""
    if not Rollup.objects.unfolded().exists():
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        if not _may_fold(cursor):
            return 0
        locked = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
        cursor.execute(_TAKE + locked, [limit])
        # Whole numbers of our own, written out: SQLite takes no more than 32,766 parameters.
        taken = [int(row[0]) for row in cursor.fetchall()]
        if taken:
            ids = ", ".join(map(str, taken))
            for fold_into in _FOLDS:
                for span in TIERS:
                    cursor.execute(fold_into.format(ids=ids), [span // 60, span, span])
            cursor.execute(_DELETE.format(ids=ids))
    return len(taken)


@contextmanager
def nobody_else_folds() -> Iterator[None]:
    """Whoever folds now is waited for; in the block only this connection may. On SQLite its transaction is enough.

    Not for use in a transaction: the block must see what was folded before it began.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [FOLDING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [FOLDING])


def _may_fold(cursor: Any) -> bool:
    if connection.vendor != "postgresql":
        return True
    cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [FOLDING])
    return bool(cursor.fetchone()[0])
