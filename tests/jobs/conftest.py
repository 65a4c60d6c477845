"""The cast: Atlas and Borealis are projects with a key each. A worker in this process runs the fake engine."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from apps.claude.spec import Turn
from apps.jobs import services
from apps.jobs.events import Event
from apps.jobs.execution import Worker
from apps.jobs.following import follow
from apps.jobs.models import Job, Lane
from apps.jobs.requests import ChatRequest
from apps.jobs.taskrequests import TaskRequest
from apps.keys.models import ApiKey, Project
from apps.permissions.models import Profile
from tests.jobs.fake_engine import FakeEngine
from tests.support.databases import default_database
from tests.support.valkey import ValkeyServer

T = TypeVar("T")
Ask = Callable[..., Job]

both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""Run a test twice, once on each database."""


@pytest.fixture
def database(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """An empty database that threads can share; SQLite unless the test is marked with `both_databases`."""
    kind: str = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield kind
        return
    with default_database(request.getfixturevalue("postgres_url")):
        call_command("flush", interactive=False, verbosity=0)
        yield kind


@pytest.fixture
def now() -> datetime:
    """One moment for the whole test."""
    return timezone.now()


@pytest.fixture
def atlas(database: str, now: datetime) -> ApiKey:
    return make_key("atlas", now=now)


@pytest.fixture
def borealis(database: str, now: datetime) -> ApiKey:
    return make_key("borealis", now=now)


@pytest.fixture(autouse=True)
def _credential(settings: Settings) -> None:
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"


@pytest.fixture
def ask(valkey: ValkeyServer) -> Ask:
    """`ask(key, tokens=5, pause=0.01)` submits a chat that the fake engine answers like that."""

    def submit(key: ApiKey, lane: Lane = Lane.INTERACTIVE, **script: object) -> Job:
        return services.submit(key=key, request=chat(**script), request_id="req_1", now=timezone.now(), lane=lane)

    return submit


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    engine = FakeEngine()
    engine.start()
    yield engine
    engine.stop(0)


@pytest.fixture
def worker(valkey: ValkeyServer, database: str, engine: FakeEngine) -> Iterator[Worker]:
    """A worker without django-q2 around it: it looks by itself every second, or is rung with `worker.ring()`."""
    worker = Worker("a-worker", engine, beat=lambda: None)  # type: ignore[arg-type]  # a double
    worker.start()
    yield worker
    worker.drain(0)


def make_key(slug: str, *, now: datetime) -> ApiKey:
    """A key of a new project."""
    project = Project.objects.create(slug=slug, created_at=now)
    return ApiKey.objects.create(
        project=project,
        name=slug,
        public_id=slug[:12],
        digest="d",
        last4="0000",
        profile=_any_model(now),
        created_at=now,
    )


def _any_model(now: datetime) -> Profile:
    """A profile of our own: the shipped ones are gone once a test has emptied the tables."""
    limits = {"max_cost_microusd": 1_000_000, "max_seconds": 600, "max_turns": 50, "max_concurrency": 1_000}
    facts = {
        **limits,
        "name": "Anything",
        "allow": ["model:*", "tool:*", "agent:*", "skill:*"],
        "created_at": now,
        "updated_at": now,
    }
    return Profile.objects.get_or_create(slug="any-model", defaults=facts)[0]


def chat(**script: object) -> ChatRequest:
    """A chat whose prompt is a script for the fake engine."""
    turn = Turn("user", ({"type": "text", "text": json.dumps(script)},))
    return ChatRequest(model="claude-haiku-5-5", requested_model="haiku", turns=(turn,))


def task(*, model: str = "claude-haiku-5-5", **script: object) -> TaskRequest:
    """A task whose prompt is a script for the fake engine. It may read and run; change it with `replace`."""
    prompt = ({"type": "text", "text": json.dumps(script)},)
    return TaskRequest(model=model, requested_model="haiku", prompt=prompt, tools=("Read", "Bash"))


def at_once(actions: Sequence[Callable[[], T]]) -> list[T]:
    """The results of all actions, each begun in a thread of its own."""

    def call(action: Callable[[], T]) -> T:
        try:
            return action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(call, actions))


def followed(job: Job, *, after: int = 0, seconds: float = 60.0) -> list[Event]:
    """All events of a job, waiting for its end."""

    async def collect() -> list[Event]:
        async with asyncio.timeout(seconds):
            return [event async for event in follow(job.id, after=after)]

    return asyncio.run(collect())


def text_of(events: list[Event]) -> str:
    """What the tokens among the events say."""
    return "".join(str(event.data["text"]) for event in events if event.type == "token")
