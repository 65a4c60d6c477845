"""Databases that have our tables already: to migrate an empty one takes longer than most tests."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import environ
from django.core.management import call_command
from django.db import connection, connections

from tests.support.postgres import PostgresServer, name_of


class Migrated:
    """A SQLite file as `migrate` leaves it, to be copied for each service that starts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def make(self) -> None:
        """Migrate an empty one, unless there is a copy."""
        if not self._file.exists():
            with default_database(f"sqlite:///{self._file}"):
                call_command("migrate", verbosity=0)

    def copy(self) -> None:
        """Copy the test database, which has to be new."""
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(self._file)])

    def give(self, data_dir: Path) -> None:
        """Let a service that has not been started yet find it in its `DATA_DIR`."""
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(self._file, data_dir / "service.sqlite3")


class MigratedPostgres:
    """A PostgreSQL database as `migrate` leaves it, to be copied for whoever needs one."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        url = server.new_database()
        with default_database(url):
            call_command("migrate", verbosity=0)
        self._name = name_of(url)

    def new_database(self) -> str:
        """The `DATABASE_URL` of a new database with our tables."""
        return self._server.new_database(like=self._name)


@contextlib.contextmanager
def default_database(url: str) -> Iterator[None]:
    """Everything in this process that opens a connection gets one to this database, in whatever thread."""
    before, settings = connections["default"], connections.settings["default"]
    connections.close_all()
    connections.settings["default"] = settings | {"OPTIONS": {}} | environ.Env.db_url_config(url)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections.close_all()
        connections.settings["default"] = settings
        connections["default"] = before
