"""An open stream costs memory, not a thread and not a database connection."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import psycopg
import pytest

from tests.support.databases import MigratedPostgres
from tests.support.http import Stream
from tests.support.service import Service, ServiceFactory

STREAMS = 40


@pytest.fixture
def database(migrated_postgres: MigratedPostgres) -> str:
    return migrated_postgres.new_database()


@pytest.fixture
def pg_service(new_service: ServiceFactory, database: str) -> Service:
    """A service on PostgreSQL."""
    service = new_service(DATABASE_URL=database, WORKERS="1", CLAUDE_SLOTS="1")
    service.wait_until_ready()
    return service


def connections(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row
    return int(row[0])


def web(service: Service) -> psutil.Process:
    return service.find("run_web")[-1]


def test_forty_streams_hold_neither_threads_nor_connections(pg_service: Service, database: str, marker: str) -> None:
    alice = pg_service.alice
    with ExitStack() as opened:
        chat = opened.enter_context(alice.http.chat_stream(f"[[tokens: 4000]] [[rate: 20]] {marker}"))
        job_id = chat.headers["x-job-id"]

        def follow(_: int) -> Stream:
            stream = alice.http.stream("GET", f"/v1/jobs/{job_id}/events")
            next(stream.events())
            return stream

        opened.enter_context(follow(0))
        threads, before = web(pg_service).num_threads(), connections(database)
        with ThreadPoolExecutor(8) as clients:
            for stream in clients.map(follow, range(STREAMS)):
                opened.enter_context(stream)
            answers = list(clients.map(lambda _: alice.http.get("/v1/jobs").status, range(40)))
        assert answers == [200] * 40
        assert connections(database) <= before + 8  # those who asked at the same time, not those who wait
        assert web(pg_service).num_threads() <= threads + 16


def test_forty_blocking_requests_hold_neither(pg_service: Service, database: str, marker: str) -> None:
    alice = pg_service.alice
    assert alice.http.chat(f"[[say: Hi.]] {marker}").status == 200
    threads, before = web(pg_service).num_threads(), connections(database)
    with ThreadPoolExecutor(STREAMS) as clients:
        asked = [clients.submit(alice.http.chat, f"[[say: {n}]] [[first: 0.1]] {marker}") for n in range(STREAMS)]
        most_threads, most_connections = 0, 0
        while not all(one.done() for one in asked):
            most_threads = max(most_threads, web(pg_service).num_threads())
            most_connections = max(most_connections, connections(database))
    answers = [one.result().json()["choices"][0]["message"]["content"] for one in asked]
    assert answers == [str(n) for n in range(STREAMS)]
    assert most_threads <= threads + 16
    assert most_connections <= before + 16
