import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.platform.conftest import environment
from tests.support.databases import MigratedPostgres
from tests.support.postgres import PostgresServer
from tests.support.processes import ROOT
from tests.support.service import ServiceFactory
from tests.support.valkey import ValkeyServer


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


def test_nodes_that_start_at_once_make_one_admin_and_one_key(database: str, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "prepare"]

    def prepare(node: str) -> str:
        settings = environment(tmp_path / node, DATABASE_URL=database, DJANGO_SECRET_KEY="x" * 50)
        done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor() as threads:
        said = list(threads.map(prepare, ("one", "two")))
    assert sorted(text.count("API key") for text in said) == [0, 1]
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM auth_user").fetchone() == (1,)


def test_an_unreachable_database_is_one_clear_line(tmp_path: Path) -> None:
    settings = environment(tmp_path / "data", DATABASE_URL="postgres://nobody@127.0.0.1:9/x")
    command = [sys.executable, "manage.py", "prepare"]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: the database cannot be used: connection")
    assert "Traceback" not in done.stderr


def test_a_service_on_postgresql_and_a_given_valkey_starts_none_of_its_own(
    new_service: ServiceFactory, migrated_postgres: MigratedPostgres, private_valkey: ValkeyServer
) -> None:
    database = migrated_postgres.new_database()
    service = new_service(DATABASE_URL=database, REDIS_URL=private_valkey.url)
    service.wait_until_ready()
    assert service.find("valkey") == []
    assert not (service.data_dir / "service.sqlite3").exists()
    assert (
        service.alice.http.chat("[[say: from postgres]]").json()["choices"][0]["message"]["content"] == "from postgres"
    )
    with ThreadPoolExecutor(40) as threads:
        answers = threads.map(lambda _: service.alice.http.get("/v1/models").status, range(80))
        assert set(answers) == {200}
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    assert found is not None
    assert found[0] <= 25, "web holds at most its pool of 16 connections"
    assert service.stop() == 0
