"""Folding rows of single jobs into the sums of quarter hours, hours and days. The sweep does it; any number may."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from apps.jobs.rollups import PLACE, SUMS, Rollup
from apps.jobs.usage.spans import TIERS

AT_ONCE = 5_000
FOLDING = 0x636375
_GROUP = [name for name in PLACE if name not in ("span", "start", "job_id")]
_TAKE = "SELECT id FROM jobs_rollup WHERE span = 0 ORDER BY id LIMIT %s"
# In the order of the constraint, so that two who fold at the same time never want two rows crosswise.
_FOLD = f"""
    INSERT INTO jobs_rollup AS sums (span, start, job_id, {", ".join((*_GROUP, *SUMS))})
    SELECT %s, start / %s * %s AS beginning, '', {", ".join(_GROUP)}, {", ".join(f"SUM({name})" for name in SUMS)}
    FROM jobs_rollup WHERE id IN ({{ids}})
    GROUP BY beginning, {", ".join(_GROUP)}
    ORDER BY project_id, beginning, {", ".join(_GROUP[1:])}
    ON CONFLICT (project_id, span, start, api_key_id, model, kind, status, error_code, job_id)
    DO UPDATE SET {", ".join(f"{name} = sums.{name} + excluded.{name}" for name in SUMS)}
"""  # noqa: S608
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
            for span in TIERS:
                cursor.execute(_FOLD.format(ids=ids), [span // 60, span, span])
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
