"""The record on both databases, and a superuser of the database who means ill."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import environ
import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker, Settings

from tests.audit.cast import NOON, Record, record
from tests.support.postgres import PostgresServer

both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""Run a test twice, once on each database."""


@pytest.fixture(autouse=True)
def _own_anchors(settings: Settings, tmp_path: Path) -> None:
    """Heads of one test's chain are not looked for in another's."""
    settings.DATA_DIR = tmp_path


@pytest.fixture
def database(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """An empty database that threads can share; SQLite unless the test is marked with `both_databases`."""
    kind: str = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield kind
        return
    with _default_database(request.getfixturevalue("audit_postgres_url")):
        call_command("flush", interactive=False, verbosity=0)
        yield kind


@pytest.fixture(scope="session")
def audit_postgres_url(postgres: PostgresServer, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> str:
    """A PostgreSQL database with the record's tables."""
    url = postgres.new_database()
    with django_db_blocker.unblock(), _default_database(url):
        call_command("migrate", verbosity=0)
    return url


@contextlib.contextmanager
def _default_database(url: str) -> Iterator[None]:
    """Every connection of this process goes to this database, in whatever thread."""
    before, database = connections["default"], connections.settings["default"]
    connections.close_all()
    connections.settings["default"] = database | {"OPTIONS": {}} | environ.Env.db_url_config(url)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections.close_all()
        connections.settings["default"] = database
        connections["default"] = before


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def past() -> datetime:
    """A year before the events of a test."""
    return datetime(2025, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def recorded(database: str) -> Record:
    """`recorded()` writes an event; `recorded(actor="user:eve", …)` another."""
    return record
