"""Deeds of many threads that contend for budgets, each in a process of its own on a database of its own."""

import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction

from apps.budgets import services
from apps.budgets.models import BudgetWindow, Hold
from apps.budgets.periods import Cycle
from apps.budgets.services import Terms
from apps.budgets.verifying import verify
from apps.claude.spec import Usage
from apps.keys import services as key_services

NOW = datetime(2025, 11, 12, 12, tzinfo=UTC)


def migrate() -> dict[str, Any]:
    """Make the tables."""
    call_command("migrate", verbosity=0)
    return {}


def prepare(*, slug: str, limits: list[dict[str, Any]], keys: int) -> dict[str, Any]:
    """A new project with some keys and budgets; `key` of a budget is the number of a key."""
    project, _ = key_services.ensure_project(slug=slug, now=NOW)
    issued = [key_services.issue(project=project, name=f"key {n}", now=NOW)[0] for n in range(keys)]
    for limit in limits:
        key = issued[limit["key"]] if "key" in limit else None
        cycle = Cycle(limit.get("period", "day"), limit.get("rolling", False))
        terms = Terms(limit_microusd=limit["microusd"], limit_tokens=limit.get("tokens"))
        services.create(project=project, api_key=key, cycle=cycle, terms=terms, actor="command", now=NOW)
    return {"project": project.pk, "keys": [key.pk for key in issued]}


def reserve(
    *, project: int, keys: list[int], threads: int, each: int, microusd: int, name: str, shrink: bool = True
) -> dict[str, Any]:
    """Every thread tries to start some jobs, each in a transaction of its own."""

    held: dict[str, int] = {}
    refused: list[str] = []

    def work(thread: int) -> None:
        for number in range(each):
            job_id = f"job_{name}_{thread:03}_{number:03}"
            try:
                with transaction.atomic():
                    held[job_id] = services.reserve(
                        project_id=project,
                        key_id=keys[thread % len(keys)],
                        job_id=job_id,
                        amount_microusd=microusd,
                        tokens=10,
                        expires_at=NOW + timedelta(hours=1),
                        now=NOW,
                        shrink=shrink,
                        minimum_microusd=1,
                    ).amount_microusd
            except services.BudgetExceeded:
                refused.append(job_id)

    return {"errors": _in_threads(threads, work), "held": held, "refused": refused}


def settle(*, project: int, key: int, jobs: dict[str, int], threads: int, order: int) -> dict[str, Any]:
    """Threads share the jobs out; `jobs` has what each cost. Which of them were settled here."""

    names = sorted(jobs)
    random.Random(order).shuffle(names)
    settled: list[str] = []

    def work(thread: int) -> None:
        for job_id in names[thread::threads]:
            with transaction.atomic():
                done = services.settle(
                    project_id=project,
                    key_id=key,
                    job_id=job_id,
                    usage=Usage(input_tokens=3),
                    cost_microusd=jobs[job_id],
                    now=NOW,
                )
            if done:
                settled.append(job_id)

    return {"errors": _in_threads(threads, work), "settled": settled}


def churn(*, project: int, keys: list[int], threads: int, rounds: int, name: str) -> dict[str, Any]:
    """Jobs of all fates, in the windows of two days, while others sweep."""

    def work(thread: int) -> None:
        luck = random.Random(f"{name} {thread}")
        for number in range(rounds):
            job_id, key = f"job_{name}_{thread:03}_{number:04}", luck.choice(keys)
            now = NOW + timedelta(hours=luck.randrange(48))
            try:
                with transaction.atomic():
                    held = services.reserve(
                        project_id=project,
                        key_id=key,
                        job_id=job_id,
                        amount_microusd=luck.randrange(1, 60_000),
                        tokens=5,
                        expires_at=now + timedelta(minutes=luck.randrange(-1, 2)),
                        now=now,
                        shrink=luck.random() < 0.5,
                        minimum_microusd=1,
                    )
            except services.BudgetExceeded:
                services.expire_holds(now=now, limit=5)
                continue
            fate = luck.randrange(4)
            if fate == 0:
                services.release(job_id=job_id, now=now)
            elif fate == 1:
                services.extend(job_id=job_id, expires_at=now + timedelta(hours=1))
            else:
                spent = luck.randrange(held.amount_microusd + 1)
                with transaction.atomic():
                    services.settle(
                        project_id=project,
                        key_id=key,
                        job_id=job_id,
                        usage=Usage(output_tokens=2),
                        cost_microusd=spent,
                        now=now,
                    )

    return {"errors": _in_threads(threads, work)}


def inspect(*, project: int) -> dict[str, Any]:
    """The counters of its windows with their limits, and what `ledger_verify` says of everything."""

    report = verify()
    windows = BudgetWindow.objects.filter(budget__project=project).order_by("budget_id", "pk")
    fields = ("budget__limit_microusd", "spent_microusd", "reserved_microusd")
    return {
        "windows": [list(row) for row in windows.values_list(*fields)],
        "holds": Hold.objects.filter(project=project).count(),
        "differences": [str(difference) for difference in report.differences],
    }


def _in_threads(count: int, work: Callable[[int], None]) -> list[str]:
    """Run it in threads that start together; what they raised."""

    start, errors = threading.Barrier(count), list[str]()

    def run(number: int) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            work(number)
        except Exception as error:
            errors.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


DEEDS: dict[str, Callable[..., dict[str, Any]]] = {
    "migrate": migrate,
    "prepare": prepare,
    "reserve": reserve,
    "settle": settle,
    "churn": churn,
    "inspect": inspect,
}


def contend(database: dict[str, Any], deed: str, arguments: dict[str, Any], channel: Connection) -> None:
    """What a forked process does: get ready, wait for the word, do the deed, tell what came of it."""
    settings.DATABASES = {"default": database}
    connections.settings = connections.configure_settings(settings.DATABASES)

    def run() -> None:  # in a thread, which makes connections of its own; the parent's stay as they are
        channel.send("ready")
        channel.recv()
        channel.send(json.dumps(DEEDS[deed](**arguments)))
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
