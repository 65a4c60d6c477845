import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests.support.isolation import NOWHERE
from tests.support.postgres import PostgresServer
from tests.support.processes import Program, describe, is_alive, nothing_survives
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

# Leaves a grandchild behind that has left its session, as a daemon does.
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def test_no_setting_of_the_developer_is_used() -> None:
    assert not settings.DATA_DIR.is_relative_to(settings.BASE_DIR)
    assert NOWHERE == settings.ANTHROPIC_BASE_URL
    secrets = (settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_AUTH_TOKEN, settings.CLAUDE_CODE_OAUTH_TOKEN)
    assert not any(secrets)
    assert os.environ["REDIS_URL"] == settings.VALKEY_URL


@pytest.mark.django_db
def test_the_database_is_a_file_of_this_run_with_a_write_ahead_log() -> None:
    assert Path(connection.settings_dict["NAME"]).is_relative_to(settings.DATA_DIR.parent)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)


def test_the_cache_is_this_runs_valkey(valkey: ValkeyServer) -> None:
    cache.set("here", 1)
    with valkey.client() as client:
        assert client.dbsize() == 1


def test_each_test_finds_valkey_empty(valkey: ValkeyServer) -> None:
    with valkey.client() as client:
        assert client.dbsize() == 0


def test_a_valkey_keeps_its_data_over_a_kill(private_valkey: ValkeyServer) -> None:
    with private_valkey.client() as client:
        client.set("kept", "yes")
        private_valkey.restart()
        assert client.get("kept") == b"yes"


def test_postgres_gives_each_test_a_database_of_its_own(postgres: PostgresServer) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    with psycopg.connect(first) as one, psycopg.connect(second) as two:
        one.execute("CREATE TABLE seen (id int)")
        one.commit()
        assert two.execute("SELECT to_regclass('seen')").fetchone() == (None,)
        assert (postgres.connections(first), postgres.connections(second)) == (1, 1)


def test_a_daemon_that_outlives_its_program_is_found(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", DAEMON], environ={}, log=tmp_path / "log")
    eventually(lambda: program.exit_status == 0)
    (orphan,) = program.offspring()
    with pytest.raises(AssertionError, match=f"still running: .*{orphan.pid}"):
        program.stop(lingering_seconds=0.1)
    assert not is_alive(orphan), describe(orphan)


def test_a_daemon_of_our_own_is_found_too() -> None:
    with pytest.raises(AssertionError, match="still running"), nothing_survives(seconds=0.1):
        subprocess.run([sys.executable, "-c", DAEMON], check=True)
