from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as ValkeyDown

from apps.api import readiness
from apps.api.readiness import Report, look
from apps.jobs import health
from apps.jobs.health import WorkerState
from config import lifecycle
from tests.support.service import Person, Service
from tests.support.waiting import eventually

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def worker(*, running: int = 0, fault: str = "", **engine: Any) -> WorkerState:
    facts = {"slots": 2, "running": running, "jail": True, "jail_fault": None, "cli_version": "2.1.330", **engine}
    return WorkerState(name="w", at=NOW, running=running, engine={} if fault else facts, fault=fault)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the checks find; tests change it."""

    class World:
        workers: Any = [worker(), worker()]
        waited: Any = 0.0
        credential: Any = "one"

    def answer(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    monkeypatch.setattr(health, "workers", lambda now: answer(World.workers))
    monkeypatch.setattr(health, "oldest_pending_seconds", lambda now: answer(World.waited))
    monkeypatch.setattr(readiness, "credential", lambda: World.credential)
    yield World
    lifecycle.reset()


def report() -> Report:
    return look(now=NOW)


def test_a_healthy_service_is_ready(world: Any) -> None:
    found = report()
    assert found.ready
    assert found.warnings == []
    assert found.checks["workers"] == {"ok": True, "alive": 2, "slots": 4, "running": 0}
    assert found.checks["cli"] == {"versions": ["2.1.330"]}
    assert found.checks["jail"] == {"ok": True}


def test_without_the_database_it_is_not(world: Any) -> None:
    world.waited = OperationalError("secret host name")
    found = report()
    assert found.reasons == ["the database cannot be reached"]
    assert "secret" not in str(found)


def test_without_valkey_it_is_not(world: Any) -> None:
    world.workers = ValkeyDown("secret host name")
    assert report().reasons == ["Valkey cannot be reached"]


def test_without_workers_it_is_not(world: Any) -> None:
    world.workers = []
    assert report().reasons == ["no worker is alive"]


def test_workers_that_could_not_start_say_why(world: Any) -> None:
    world.workers = [worker(fault="no CLI")]
    assert report().reasons == ["no worker is alive: no CLI"]
    world.workers = [worker(), worker(fault="no CLI")]
    found = report()
    assert found.ready
    assert found.warnings == ["a worker could not start: no CLI"]


def test_a_missing_jail_is_a_warning_with_its_reason(world: Any) -> None:
    world.workers = [worker(jail=False, jail_fault="no user namespaces")]
    found = report()
    assert found.ready
    assert found.checks["jail"] == {"ok": False}
    assert found.warnings == ["no jail: no user namespaces"]


def test_a_network_that_could_not_be_proven_is_a_warning_with_its_reason(world: Any) -> None:
    world.workers = [worker(network_fault="a task can connect to 127.0.0.1")]
    found = report()
    assert found.ready
    assert found.warnings == ["tasks that use the network are refused: a task can connect to 127.0.0.1"]


def test_a_missing_credential_is_a_warning(world: Any) -> None:
    world.credential = None
    found = report()
    assert found.ready
    assert "no credential" in found.warnings[0]


def test_a_job_that_waits_beside_free_slots_means_that_workers_are_deaf(world: Any) -> None:
    world.waited = 45.0
    assert "waited for 45 s although slots are free" in report().reasons[0]


def test_a_long_queue_before_busy_workers_is_only_a_long_queue(world: Any) -> None:
    world.waited = 45.0
    world.workers = [worker(running=2)]
    assert report().ready


def test_a_stopping_process_is_not_ready(world: Any) -> None:
    lifecycle.begin_draining()
    assert report().reasons == ["the service is stopping"]


def test_ready_tells_the_truth_about_the_running_service(service: Service, alice: Person, marker: str) -> None:
    service.wait_until_ready()
    assert alice.http.chat(f"[[say: Hi.]] {marker}").status == 200  # the CLI tells its version when it runs
    facts = service.http().get("/ready").json()
    assert facts["status"] == "ready"
    assert set(facts["checks"]) == {"database", "queue", "valkey", "workers", "jail", "cli"}
    eventually(lambda: service.http().get("/ready").json()["checks"]["cli"]["versions"], seconds=60)


def test_health_needs_nothing(service: Service) -> None:
    answer = service.http().get("/health")
    assert answer.status == 200
    assert answer.json()["status"] == "ok"
