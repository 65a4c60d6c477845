"""Fills a database with a quarter's jobs for `bench.usage`, and rolls them up."""

import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.db import connection
from django.utils import timezone

from apps.budgets import services as budgets
from apps.budgets.models import BudgetWindow, LedgerEntry
from apps.budgets.periods import Cycle
from apps.claude import pricing
from apps.claude.spec import Usage
from apps.jobs.ids import new_job_id
from apps.jobs.models import Call, Job, Rollup
from apps.jobs.usage.rebuilding import rebuild
from apps.keys import services as keys
from apps.keys.models import ApiKey

DAYS = 90
BOOKINGS = 24
"""Ledger rows of each job besides its bill."""
_MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
_AT_ONCE = 2_000
# The same rows over and over: what is measured is that they are in the way.
_BOOK = """
    INSERT INTO budgets_ledgerentry (kind, project_id, api_key_id, window_id, job_id, reserved_microusd, spent_microusd,
    reserved_tokens, spent_tokens, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    reason, created_at)
    SELECT 'reserve', job.project_id, job.api_key_id, w.id, job.id, 1, 0, 0, 0, 0, 0, 0, 0, '', job.created_at
    FROM jobs_job job CROSS JOIN budgets_budgetwindow w
"""
_BILL = """
    INSERT INTO budgets_ledgerentry (kind, project_id, api_key_id, window_id, job_id, reserved_microusd, spent_microusd,
    reserved_tokens, spent_tokens, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    reason, created_at)
    SELECT 'settle', project_id, api_key_id, NULL, id, 0, cost_microusd, 0, input_tokens + output_tokens +
    cache_read_input_tokens, input_tokens, output_tokens, cache_read_input_tokens, 0, '', finished_at FROM jobs_job
"""


def fill(jobs: int) -> None:
    """Most of the jobs are of the project `bench`, by ten keys; prints how many rows of each kind, and seconds."""
    now, luck = timezone.now(), random.Random(7)
    owners = list(_owners(now))
    _windows(owners[0], now)
    made = (_job(luck, owners, now) for _ in range(jobs))
    while batch := list(islice(made, _AT_ONCE)):
        Job.objects.bulk_create([job for job, _ in batch])
        Call.objects.bulk_create([call for _, call in batch])
    with connection.cursor() as cursor:
        cursor.execute(_BOOK)
        cursor.execute(_BILL)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
    began = time.perf_counter()
    rebuild(actor="command:bench", now=now)
    seconds = time.perf_counter() - began
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE jobs_rollup")
    print(Job.objects.count(), LedgerEntry.objects.count(), Rollup.objects.count(), seconds)


def _owners(now: datetime) -> Iterator[ApiKey]:
    for slug, count in (("bench", 10), ("other", 5), ("third", 5)):
        project, _ = keys.ensure_project(slug=slug, now=now)
        for number in range(count):
            yield keys.issue(project=project, name=f"key {number}", now=now)[0]


def _windows(key: ApiKey, now: datetime) -> None:
    for number in range(BOOKINGS):
        terms = budgets.Terms(name=f"budget {number}", limit_microusd=10**12)
        budget = budgets.create(
            project=key.project, api_key=None, cycle=Cycle("total"), terms=terms, actor="command:bench", now=now
        )
        BudgetWindow.objects.create(budget=budget, starts_at=now)


def _job(luck: random.Random, owners: list[ApiKey], now: datetime) -> tuple[Job, Call]:
    key = owners[int(len(owners) * luck.random() ** 1.5)]
    created = now - timedelta(seconds=luck.random() * DAYS * 86_400)
    started = created + timedelta(seconds=luck.expovariate(5))
    finished = started + timedelta(seconds=luck.expovariate(0.3))
    model = _MODELS[int(3 * luck.random() ** 2)]
    usage = Usage(luck.randrange(2_000), luck.randrange(1_000), luck.randrange(20_000))
    cost = pricing.cost_microusd(model, usage) or 0
    failed = luck.random() < 0.05
    job = Job(
        id=new_job_id(created),
        kind="chat" if luck.random() < 0.8 else "task",
        status="failed" if failed else "completed",
        error_code=luck.choice(["timeout", "overloaded", "cli_error"]) if failed else "",
        project_id=key.project_id,
        api_key=key,
        model=model,
        requested_model=model,
        request={},
        cap_microusd=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cost_microusd=cost,
        cli_cost_microusd=cost,
        created_at=created,
        started_at=started,
        first_token_at=started + timedelta(seconds=luck.expovariate(2)),
        finished_at=finished,
        expires_at=finished,
    )
    call = Call(
        job=job,
        call_id="call",
        model=model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_creation_5m_input_tokens=0,
        cache_creation_1h_input_tokens=0,
        cost_microusd=cost,
        priced=True,
        estimated=False,
        status=200,
        price_version=pricing.VERSION,
        started_at=started,
        duration_seconds=1.0,
    )
    return job, call
