"""The dashboard's pages over a long history: how long the server takes for each, how many queries, how heavy it is.

`python -m bench.pages [--jobs 200000] [--ledger 5000000]` fills a database of each kind by bulk and asks every page of
one project in this process, without a network. What it writes proves nothing: only its size is real.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.report import Report, median, ms
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
MOST_MS = {"postgresql": 200, "sqlite": 400}
MOST_BYTES = 250_000
DAYS = 60
KEYS = 50
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
AT_ONCE = 10_000


def main() -> None:
    """Each kind of database in a process of its own: Django knows one only."""
    arguments = _arguments()
    if arguments.database:
        _measure(arguments)
        return
    with ExitStack() as stack:
        for database in ("sqlite", "postgresql"):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ccs-pages-"))
            environ = {**os.environ, "DATA_DIR": directory, "ANTHROPIC_API_KEY": "none"}
            if database == "postgresql":
                server = PostgresServer()
                stack.callback(server.stop)
                server.start()
                environ["DATABASE_URL"] = server.new_database()
            sizes = ["--jobs", str(arguments.jobs), "--ledger", str(arguments.ledger)]
            command = [sys.executable, "-m", "bench.pages", "--database", database, *sizes]
            subprocess.run(command, cwd=ROOT, env=environ, check=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--ledger", type=int, default=5_000_000)
    parser.add_argument("--database", default="")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.ALLOWED_HOSTS = ["*"]
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    addresses = _fill(arguments.jobs, arguments.ledger)
    took = time.monotonic() - began
    report = Report()
    print(f"{arguments.database}: {arguments.jobs:,} jobs, {arguments.ledger:,} ledger rows, filled in {took:.0f} s")
    _ask(addresses, arguments.database, report)
    print(f"\n{report.markdown()}")


def _ask(addresses: Sequence[str], database: str, report: Report) -> None:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(HTTP_ACCEPT="text/html")
    client.force_login(User.objects.create_superuser("bench"))
    for address in addresses:
        client.get(address)
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            answer = client.get(address)
            seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200, (address, answer.status_code)
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        weight = len(answer.content) + sum(_size(name) for name in _loaded(answer.text))
        took = median(seconds)
        ok = took * 1000 < MOST_MS[database] and weight < MOST_BYTES
        name = f"{address}: {len(captured.captured_queries)} queries, {weight / 1000:.0f} kB"
        report.add(name, ms(took), f"< {MOST_MS[database]} ms, < {MOST_BYTES // 1000} kB", ok)


def _loaded(html: str) -> Iterable[str]:
    return set(re.findall(r'(?:src|href)="/static/([^"?]+)', html))


def _size(name: str) -> int:
    from django.contrib.staticfiles import finders

    found = finders.find(name)
    return Path(str(found)).stat().st_size


def _fill(jobs: int, ledger: int) -> list[str]:
    """A project with a long history; the addresses of its pages."""
    from apps.budgets import services as budgets
    from apps.budgets.models import BudgetWindow
    from apps.budgets.periods import Cycle, bounds
    from apps.keys import services as keys

    now = datetime.now(UTC)
    start = now - timedelta(days=DAYS)
    project, _ = keys.ensure_project(slug="atlas", now=start)
    issued = [keys.issue(project=project, name=f"key {n}", now=start)[0] for n in range(KEYS)]
    terms = budgets.Terms(name="Month", limit_microusd=10**12)
    made: dict[str, Any] = {"project": project, "terms": terms, "actor": "system", "now": start}
    month = budgets.create(cycle=Cycle("month"), **made)
    for key in issued[:20]:
        budgets.create(cycle=Cycle("week"), api_key=key, **made)
    where = bounds(month.cycle, now=now, since=start)
    facts = {"starts_at": where.starts_at, "ends_at": where.ends_at, "spent_microusd": 10**9}
    window = BudgetWindow.objects.create(budget=month, **facts)
    rows = list(_jobs(jobs, project.pk, [key.pk for key in issued], start, now))
    _insert("jobs_job", rows)
    _rollups(rows)
    _ledger(ledger - jobs, window.pk, project.pk, issued[0].pk, rows, now)
    _audit(min(jobs, 200_000), rows, now)
    _analyse()
    slug = "/p/atlas/"
    newest = rows[-1]["id"]
    plain = (
        "",
        "jobs",
        "refused",
        "keys",
        "keys/new",
        "budgets",
        "budgets/new",
        "batches",
        "capabilities",
        "playground",
    )
    narrowed = (
        "?range=90d&by=key",
        "jobs?status=failed",
        f"jobs?key={issued[3].public_id}",
        f"jobs?before={rows[9]['id']}",
    )
    things = (
        f"jobs/{newest}",
        f"keys/{issued[3].public_id}",
        f"budgets/{month.pk}",
        "audit",
        "audit?action=job.refused",
    )
    return [slug + name for name in (*plain, *narrowed, *things)]


def _jobs(number: int, project: int, keys: Sequence[int], start: datetime, now: datetime) -> Iterator[dict[str, Any]]:
    from apps.jobs.ids import new_job_id

    rng = random.Random(1)
    step = (now - start) / number
    asked = "What is asked of the model. " * 20
    text = json.dumps({"turns": [{"role": "user", "content": [{"type": "text", "text": asked}]}]})
    for n in range(number):
        at = start + n * step
        failed = rng.random() < 0.004
        yield {
            "id": new_job_id(at),
            "kind": "task" if n % 5 == 0 else "chat",
            "status": "failed" if failed else "completed",
            "lane": 0,
            "project_id": project,
            "api_key_id": rng.choice(keys),
            "request_id": "",
            "model": rng.choice(MODELS),
            "requested_model": "auto",
            "request": text,
            "session_id": "",
            "batch_id": "",
            "result": '"An answer of some length."',
            "stop_reason": "end_turn",
            "error_code": "upstream_error" if failed else "",
            "error_message": "",
            "input_tokens": 900,
            "output_tokens": 300,
            "cache_read_input_tokens": 4000,
            "cache_creation_input_tokens": 0,
            "cost_microusd": rng.randint(100, 90_000),
            "estimated": False,
            "cap_microusd": 1_000_000,
            "worker": "",
            "last_sequence_number": 2,
            "created_at": at,
            "started_at": at,
            "first_token_at": at + timedelta(milliseconds=500),
            "finished_at": at + timedelta(seconds=3),
            "expires_at": at + timedelta(hours=1),
        }


def _rollups(jobs: Sequence[dict[str, Any]]) -> None:
    from apps.jobs.usage.histograms import counted

    sums: dict[tuple[Any, ...], Counter[str]] = {}
    together: dict[tuple[Any, ...], Counter[str]] = {}
    column, one = counted(500)
    for job in jobs:
        second = int(job["finished_at"].timestamp())
        facts = Counter(
            requests=1,
            calls=1,
            input_tokens=900,
            output_tokens=300,
            cache_read_input_tokens=4000,
            cost_microusd=job["cost_microusd"],
            saved_microusd=9,
            first_token_ms=500,
        )
        facts[f"first_token_{column:02}"] = one
        group = tuple(job[name] for name in ("project_id", "model", "kind", "status", "error_code"))
        for span in (900, 3600, 86_400):
            place = (span // 60, second // span * span, *group)
            sums.setdefault((*place, job["api_key_id"]), Counter()).update(facts)
            together.setdefault(place, Counter()).update(facts)
    places = ("span", "start", "project_id", "model", "kind", "status", "error_code")
    by_key = (
        {**dict(zip((*places, "api_key_id"), place, strict=True)), "job_id": "", **facts}
        for place, facts in sums.items()
    )
    _insert("jobs_rollup", by_key)
    _insert(
        "jobs_projectrollup", ({**dict(zip(places, place, strict=True)), **facts} for place, facts in together.items())
    )


def _ledger(number: int, window: int, project: int, key: int, jobs: Sequence[dict[str, Any]], now: datetime) -> None:
    """A bill for each job, and bookings of one window."""
    nothing = {"reserved_microusd": 0, "spent_tokens": 0, "reserved_tokens": 0, "reason": ""}
    kinds = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    base = {**nothing, **kinds, "project_id": project}
    bills = (
        {
            **base,
            "kind": "settle",
            "api_key_id": job["api_key_id"],
            "window_id": None,
            "job_id": job["id"],
            "spent_microusd": job["cost_microusd"],
            "created_at": job["finished_at"],
        }
        for job in jobs
    )
    _insert("budgets_ledgerentry", bills)
    # The same rows over and over, by the database itself: what is measured is that they are in the way.
    from django.db import connection

    times, rest = divmod(max(0, number), len(jobs))
    booked = {**base, "kind": "reserve", "api_key_id": key, "window_id": window, "spent_microusd": 0, "created_at": now}
    columns = ", ".join((*booked, "job_id"))
    values = ", ".join(["%s"] * len(booked))
    with connection.cursor() as cursor:
        for most in [len(jobs)] * times + [rest]:
            statement = f"INSERT INTO budgets_ledgerentry ({columns}) SELECT {values}, id FROM jobs_job LIMIT {most}"
            cursor.execute(statement, list(map(_stored, booked.values())))


def _audit(number: int, jobs: Sequence[dict[str, Any]], now: datetime) -> None:
    from uuid import UUID

    vendor = _vendor()
    rows = (
        {
            "id": UUID(int=int(jobs[n]["id"][4:], 16)) if vendor == "postgresql" else jobs[n]["id"][4:],
            "at": jobs[n]["created_at"],
            "actor": f"key:{jobs[n]['api_key_id']}",
            "action": "job.refused" if n % 50 == 0 else "job.closed",
            "target_type": "job",
            "target_id": jobs[n]["id"],
            "project_id": "atlas",
            "outcome": "refused" if n % 50 == 0 else "ok",
            "reason": "",
            "ip": "",
            "request_id": "",
            "data_text": '{"model":"claude-haiku-5-5"}',
            "key_id": "bench",
            "digest": b"0" * 32,
        }
        for n in range(min(number, len(jobs)))
    )
    _insert("audit_auditevent", rows)


def _insert(table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Bulk; the columns are those of the first row, missing ones are zero."""
    from django.db import connection, transaction

    waiting = iter(rows)
    first = next(waiting, None)
    if first is None:
        return
    names = list(first)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"
    batch = [[_stored(first.get(name, 0)) for name in names]]
    with transaction.atomic(), connection.cursor() as cursor:
        for row in waiting:
            batch.append([_stored(row.get(name, 0)) for name in names])
            if len(batch) == AT_ONCE:
                cursor.executemany(statement, batch)
                batch = []
        if batch:
            cursor.executemany(statement, batch)


def _stored(value: Any) -> Any:
    if isinstance(value, datetime) and _vendor() == "sqlite":
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value


def _vendor() -> str:
    from django.db import connection

    return connection.vendor


def _analyse() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()
