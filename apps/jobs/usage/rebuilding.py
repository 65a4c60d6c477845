"""Making the roll-ups anew from the jobs and their calls, as they are in the tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.db import connection, transaction

from apps.audit import services as audit
from apps.budgets.verifying import align
from apps.claude.spec import Usage
from apps.jobs.models import Job, Rollup
from apps.jobs.rollups import PLACE, SUMS
from apps.jobs.usage import facts
from apps.jobs.usage.folding import fold, nobody_else_folds
from apps.jobs.usage.spans import QUARTER, floor

AT_ONCE = 5_000
_JOBS = """
    SELECT id, project_id, api_key_id, model, kind, status, error_code, estimated, cli_cost_microusd,
    created_at, started_at, first_token_at, finished_at FROM jobs_job WHERE finished_at IS NOT NULL ORDER BY id
"""
_CALLS = """
    SELECT job_id, model, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_5m_input_tokens,
    cache_creation_1h_input_tokens, cost_microusd, priced, price_version FROM jobs_call ORDER BY job_id
"""
_INSERT = (
    f"INSERT INTO jobs_rollup ({', '.join((*PLACE, *SUMS))}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * len((*PLACE, *SUMS)))})"
)


def rebuild(*, actor: str, now: datetime) -> int:
    """Replace what is there; how many jobs were counted. Jobs may end meanwhile, on SQLite they wait for it.

    Refusals are kept as they are, since they left no job.
    """
    with nobody_else_folds(), transaction.atomic():
        return _rebuild(actor, now)


def catch_up(*, now: datetime) -> int:
    """Rebuild if nothing was ever counted although jobs have ended: they are from before there were roll-ups."""
    if Rollup.objects.exists() or not Job.objects.closed().exists():
        return 0
    return rebuild(actor="system", now=now)


def _rebuild(actor: str, now: datetime) -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # The snapshot begins here: what is deleted is of jobs that are read, and what comes later is left alone.
        for table in ("jobs_rollup", "jobs_projectrollup"):
            cursor.execute(f"DELETE FROM {table} WHERE status <> %s", [facts.REFUSED])  # noqa: S608
        jobs, rows = 0, _counted()
        while batch := list(islice(rows, AT_ONCE)):
            jobs += len(batch)
            cursor.executemany(_INSERT, batch)
            fold(limit=AT_ONCE)
    while fold():
        pass
    audit.record(actor=actor, action="usage.rebuilt", target_type="usage", data={"jobs": jobs}, now=now)
    return jobs


def _counted() -> Iterator[tuple[Any, ...]]:
    """A row for each ended job, not folded."""
    calls = ((job_id, list(group)) for job_id, group in groupby(_read(_CALLS), itemgetter(0)))
    for job_id, (job, made) in align(((row[0], row[1:]) for row in _read(_JOBS)), calls):
        if job is not None:
            *place, estimated, cli_microusd, created_at, started_at, first_token_at, finished_at = job
            finished = _moment(finished_at) or datetime.now(UTC)
            counted = facts.of_job(
                [_call(row) for row in made or ()],
                completed=place[4] == "completed",
                estimated=bool(estimated),
                cli_microusd=cli_microusd,
                created_at=_moment(created_at) or finished,
                started_at=_moment(started_at),
                first_token_at=_moment(first_token_at),
                finished_at=finished,
            )
            project_id, *rest = place
            yield project_id, 0, floor(finished, QUARTER), *rest, job_id, *(counted[name] for name in SUMS)


def _call(row: Sequence[Any]) -> Counter[str]:
    _, model, *tokens, cost_microusd, priced, price_version = row
    return facts.of_call(
        model=model,
        usage=Usage(*tokens),
        cost_microusd=cost_microusd,
        priced=bool(priced),
        price_version=price_version,
    )


def _read(statement: str) -> Iterator[Sequence[Any]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(AT_ONCE):
            yield from rows


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite gives text, or a datetime without a zone."""
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return read.replace(tzinfo=UTC) if read is not None and read.tzinfo is None else read
