"""The record on both databases, and a superuser of the database who means ill."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.audit.cast import NOON, Record, record
from tests.support.databases import default_database

Test = TypeVar("Test", bound=Callable[..., object])


def on(*databases: str) -> Callable[[Test], Test]:
    """Run a test on each of these databases, with transactions of its own that threads can see."""

    def mark(test: Test) -> Test:
        each = pytest.mark.parametrize("database", databases, indirect=True)
        marked: Test = pytest.mark.django_db(transaction=True)(each(test))
        return marked

    return mark


both_databases = on("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def _own_anchors(settings: Settings, tmp_path: Path) -> None:
    """Heads of one test's chain are not looked for in another's."""
    settings.DATA_DIR = tmp_path


@pytest.fixture
def database(request: pytest.FixtureRequest, db: None) -> Iterator[str]:
    """An empty database: SQLite in a transaction that is undone, unless the test is marked with `on`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield "sqlite"
        return
    with default_database(request.getfixturevalue("postgres_url")):
        call_command("flush", interactive=False, verbosity=0)
        yield "postgresql"


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
