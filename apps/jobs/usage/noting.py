"""Adding what has just happened to the roll-ups: one INSERT that waits for nobody."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from django.db import connection

from apps.claude.spec import Outcome
from apps.jobs.models import Job
from apps.jobs.rollups import PLACE
from apps.jobs.usage import facts
from apps.jobs.usage.spans import QUARTER, floor


def note(job: Job, outcome: Outcome, *, first_token_at: datetime | None, now: datetime) -> None:
    """Count an ended job. Call it in the transaction that closes it."""
    calls = [
        facts.of_call(
            model=call.model,
            usage=call.usage,
            cost_microusd=call.cost_microusd,
            priced=call.priced,
            price_version=call.price_version,
        )
        for call in outcome.calls
    ]
    counted = facts.of_job(
        calls,
        completed=outcome.status == "completed",
        estimated=outcome.estimated,
        cli_microusd=outcome.cli_cost_microusd,
        created_at=job.created_at,
        started_at=job.started_at,
        first_token_at=first_token_at,
        finished_at=now,
    )
    _insert(job, outcome.status, (outcome.error_code or "")[:32], counted, now=now)


def note_refusal(job: Job, error_code: str, *, now: datetime) -> None:
    """Count a request that was refused; its job is not stored."""
    _insert(job, facts.REFUSED, error_code, {"requests": 1}, now=now)


def _insert(job: Job, status: str, error_code: str, counted: Mapping[str, int], *, now: datetime) -> None:
    place = (job.project_id, 0, floor(now, QUARTER), job.api_key_id, job.model, job.kind, status, error_code, job.id)
    counts = {name: count for name, count in counted.items() if count}
    with connection.cursor() as cursor:
        cursor.execute(_statement(tuple(counts)), [*place, *counts.values()])


@lru_cache(maxsize=1000)
def _statement(counters: tuple[str, ...]) -> str:
    columns = (*PLACE, *counters)
    return f"INSERT INTO jobs_rollup ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608
