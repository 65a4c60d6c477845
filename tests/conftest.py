"""What every test can ask for. The servers are real and start when the first test needs them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest
from django.db import connection
from hypothesis import settings
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from tests.support import isolation, ordering, processes, shipped
from tests.support.databases import Migrated, MigratedPostgres
from tests.support.postgres import PostgresServer
from tests.support.scripted import ScriptedServer, new_marker
from tests.support.service import Person, Service, ServiceFactory
from tests.support.valkey import ValkeyServer

# Short, because unix sockets in it may have 107 characters; open to pass, because jails run as other users.
SESSION = Path(tempfile.mkdtemp(prefix="ccs-t-"))
SESSION.chmod(0o711)
MIGRATED = Migrated(SESSION / "migrated.sqlite3")
settings.register_profile("no-clock", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("no-clock")
isolation.isolate(SESSION)
processes.adopt_orphans()
processes.heed_interrupts()


def pytest_unconfigure() -> None:
    rmtree(SESSION, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For bin/test, whose processes take file after file in this order."""
    ordering.longest_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A test that empties the database puts back what the migrations bring, so that tests can run in any order."""
    yield
    if nextitem is None:
        return  # the database went with the session
    marker = item.get_closest_marker("django_db")
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if "transactional_db" in fixtures or (marker and marker.kwargs.get("transaction")):
        with item.config.stash[blocking_manager_key].unblock():
            shipped.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows what the service it used had to say."""
    report = yield
    service = getattr(item, "funcargs", {}).get("service")
    if isinstance(service, Service) and report.failed:  # type: ignore[attr-defined]
        report.sections.append(("service", service.program.tail()))  # type: ignore[attr-defined]
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database, if any test wants it, and what it holds when it is new."""
    with django_db_blocker.unblock():
        if connection.introspection.table_names():
            shipped.remember()
            MIGRATED.copy()


@pytest.fixture(scope="session")
def migrated(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Migrated:
    """Tables for services that start: `migrated.give(data_dir)`."""
    with django_db_blocker.unblock():
        MIGRATED.make()
    return MIGRATED


@pytest.fixture
def marker() -> str:
    """A word for this test's prompts, to find its requests in the scripted model's log."""
    return new_marker()


@pytest.fixture(scope="session")
def scripted_model() -> Iterator[ScriptedServer]:
    """The upstream: a scripted Messages API. `scripted_model.log.containing(marker)` is what it was asked."""
    directory = SESSION / "scripted"
    directory.mkdir()
    server = ScriptedServer(directory)
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def _session_valkey() -> Iterator[ValkeyServer]:
    """Where the settings of in-process tests point."""
    server = ValkeyServer(SESSION / "valkey")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def valkey(_session_valkey: ValkeyServer) -> Iterator[ValkeyServer]:
    """The Valkey of in-process tests, empty before and afterwards."""
    _session_valkey.flush()
    yield _session_valkey
    _session_valkey.flush()


@pytest.fixture
def private_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey for one test, which may kill and restart it."""
    with tempfile.TemporaryDirectory(prefix="v-", dir=SESSION) as directory:
        server = ValkeyServer(Path(directory))
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL; `postgres.new_database()` is a `DATABASE_URL`."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(
    postgres: PostgresServer, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> MigratedPostgres:
    """`migrated_postgres.new_database()` is a `DATABASE_URL` where our tables are already."""
    with django_db_blocker.unblock():
        return MigratedPostgres(postgres)


@pytest.fixture(scope="session")
def postgres_url(migrated_postgres: MigratedPostgres) -> str:
    """Such a database for code in this process; empty it before use."""
    return migrated_postgres.new_database()


@pytest.fixture(scope="session")
def service(scripted_model: ScriptedServer, migrated: Migrated) -> Iterator[Service]:
    """The whole service, shared by all tests. Do not stop parts of it: ask `new_service` for one of your own."""
    running = Service(SESSION / "service", upstream=scripted_model.url, environ={}, migrated=migrated)
    yield running
    running.stop()


@pytest.fixture
def new_service(scripted_model: ScriptedServer, migrated: Migrated) -> Iterator[ServiceFactory]:
    """`new_service(WORKERS="1", …)` starts a whole service with those settings, for this test only."""
    with _services(scripted_model, migrated) as start:
        yield start


@pytest.fixture(scope="module")
def start_service(scripted_model: ScriptedServer, migrated: Migrated) -> Iterator[ServiceFactory]:
    """The same for all tests of a file."""
    with _services(scripted_model, migrated) as start:
        yield start


@contextmanager
def _services(model: ScriptedServer, migrated: Migrated) -> Iterator[ServiceFactory]:
    running: list[Service] = []

    def start(**environ: str) -> Service:
        directory = Path(tempfile.mkdtemp(prefix="s-", dir=SESSION))
        running.append(Service(directory, upstream=model.url, environ=environ, migrated=migrated))
        return running[-1]

    try:
        yield start
    finally:
        for one in running:
            one.kill()


@pytest.fixture
def alice(service: Service) -> Person:
    """Owner of the project atlas, with a key of the shared service."""
    return service.alice


@pytest.fixture
def bob(service: Service) -> Person:
    """Works on the project atlas too."""
    return service.bob


@pytest.fixture
def charlie(service: Service) -> Person:
    """Owner of another project; must see nothing of atlas."""
    return service.charlie
