"""Many processes and threads on one small budget, on both databases: exact to the micro-dollar, kills included."""

import json
import multiprocessing
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

import environ
import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from tests.budgets.conftest import CENT, USD
from tests.budgets.contending import contend
from tests.support.waiting import eventually

PROCESSES, THREADS = 4, 25
"""A hundred at once."""


@dataclass
class Running:
    """A process at its deed."""

    process: ForkProcess
    channel: Connection

    def result(self) -> dict[str, Any]:
        """What came of it. Fails when a thread of it did."""
        assert self.channel.poll(120), "no answer"
        result: dict[str, Any] = json.loads(self.channel.recv())
        assert not result.get("errors"), result["errors"]
        return result

    def kill(self) -> None:
        """SIGKILL, whatever it is at."""
        self.process.kill()
        self.process.join()


class Contest:
    """A project of its own, and processes that contend for its budgets."""

    def __init__(self, database: dict[str, Any]) -> None:
        self._database = database
        self._fork = multiprocessing.get_context("fork")
        self._running: list[Running] = []
        self.who: dict[str, Any] = {}

    def prepare(self, *limits: dict[str, Any], keys: int = 1) -> None:
        """Make the project with those budgets."""
        slug = f"p-{uuid.uuid4().hex}"
        (self.who,) = self.run("prepare", {"slug": slug, "limits": limits, "keys": keys})

    def run(self, deed: str, *arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """One process for each of the arguments; they start together. What each has to say."""
        return [running.result() for running in self.start(deed, *arguments)]

    def start(self, deed: str, *arguments: dict[str, Any]) -> list[Running]:
        """As `run`, without waiting for the end."""
        started = []
        for each in arguments:
            ours, theirs = self._fork.Pipe()
            process = self._fork.Process(target=contend, args=(self._database, deed, each, theirs), daemon=True)
            process.start()
            started.append(Running(process, ours))
        self._running += started
        for running in started:
            assert running.channel.recv() == "ready"
        for running in started:
            running.channel.send("go")
        return started

    def inspect(self) -> dict[str, Any]:
        """The counters, once `ledger_verify` finds nothing."""
        (found,) = self.run("inspect", {"project": self.who["project"]})
        assert found["differences"] == []
        return found

    def end(self) -> None:
        """Leave no process behind."""
        for running in self._running:
            running.kill()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings of an empty database of that kind."""
    if request.param == "postgres":
        return dict(environ.Env.db_url_config(request.getfixturevalue("postgres").new_database()))
    return {**settings.DATABASES["default"], "NAME": tmp_path_factory.mktemp("contest") / "service.sqlite3"}


@pytest.fixture(scope="module")
def migrated(database: dict[str, Any], django_db_blocker: DjangoDbBlocker) -> dict[str, Any]:
    """The same with its tables."""
    with django_db_blocker.unblock():
        Contest(database).run("migrate", {})
    return database


@pytest.fixture
def contest(migrated: dict[str, Any], django_db_blocker: DjangoDbBlocker) -> Iterator[Contest]:
    """Its budgets are still to be prepared."""
    contest = Contest(migrated)
    with django_db_blocker.unblock():
        yield contest
    contest.end()


def contenders(contest: Contest, make: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Arguments for all processes."""
    return [{"project": contest.who["project"], "threads": THREADS, **make(n)} for n in range(PROCESSES)]


def test_a_hundred_jobs_at_once_use_all_of_a_dollar_and_no_more(contest: Contest) -> None:
    contest.prepare({"microusd": USD}, {"microusd": 5 * USD, "period": "month", "key": 0}, keys=2)
    keys = contest.who["keys"]
    arguments = contenders(contest, lambda n: {"keys": keys, "each": 1, "microusd": 3 * CENT, "name": f"{n}"})
    results = contest.run("reserve", *arguments)
    held = {job_id: amount for result in results for job_id, amount in result["held"].items()}
    refused = sum(len(result["refused"]) for result in results)
    assert sorted(held.values()) == [CENT] + [3 * CENT] * 33
    assert refused == PROCESSES * THREADS - 34
    assert contest.inspect()["windows"][0] == [USD, 0, USD]

    costs = {job_id: amount // 2 for job_id, amount in held.items()}
    settling = contenders(contest, lambda n: {"key": keys[0], "jobs": costs, "order": n})
    settled = [job_id for result in contest.run("settle", *settling) for job_id in result["settled"]]
    assert sorted(settled) == sorted(held), "each is settled by exactly one of four"
    assert contest.inspect()["windows"][0] == [USD, sum(costs.values()), 0]


def test_jobs_of_every_fate_leave_an_exact_ledger(contest: Contest) -> None:
    limits: list[dict[str, Any]] = [
        {"microusd": USD, "key": 0},
        {"microusd": USD, "rolling": True},
        {"microusd": 2 * USD, "period": "month"},
        {"microusd": USD, "period": "week", "key": 1, "tokens": 2000},
    ]
    contest.prepare(*limits, keys=3)
    keys = contest.who["keys"]
    contest.run("churn", *contenders(contest, lambda n: {"keys": keys, "threads": 6, "rounds": 15, "name": f"{n}"}))
    assert contest.inspect()["holds"] > 100


def test_killed_processes_leave_an_exact_ledger(contest: Contest) -> None:
    contest.prepare({"microusd": 10 * USD}, {"microusd": 10 * USD, "key": 0})
    keys = contest.who["keys"]
    arguments = contenders(contest, lambda n: {"keys": keys, "threads": 6, "rounds": 100_000, "name": f"{n}"})
    processes = contest.start("churn", *arguments)
    for enough in (20, 40, 60, 80):
        eventually(lambda least=enough: contest.inspect()["holds"] >= least, seconds=60)  # type: ignore[misc]
        processes.pop().kill()
    found = contest.inspect()
    for limit, spent, reserved in found["windows"]:
        assert spent + reserved <= limit
