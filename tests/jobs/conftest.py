"""A small cast: Atlas and Borealis are projects, each with a key."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.claude.spec import Turn
from apps.jobs import services
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Lane
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey, Project
from tests.jobs.fake_engine import FakeEngine

Ask = Callable[..., Job]


@pytest.fixture
def now() -> datetime:
    """One moment for the whole test."""
    return timezone.now()


@pytest.fixture
def make_key(now: datetime) -> Callable[[str], ApiKey]:
    """`make_key("atlas")` is a key of that project."""

    def make(slug: str) -> ApiKey:
        project = Project.objects.create(slug=slug, created_at=now)
        return ApiKey.objects.create(
            project=project, name=slug, public_id=slug[:12], digest="d", last4="0000", created_at=now
        )

    return make


@pytest.fixture
def atlas(transactional_db: None, make_key: Callable[[str], ApiKey]) -> ApiKey:
    return make_key("atlas")


@pytest.fixture
def borealis(transactional_db: None, make_key: Callable[[str], ApiKey]) -> ApiKey:
    return make_key("borealis")


@pytest.fixture(autouse=True)
def _credential(settings: Settings) -> None:
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"


@pytest.fixture
def ask(valkey: object) -> Ask:
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
def worker(valkey: object, transactional_db: None, engine: FakeEngine) -> Iterator[Worker]:
    """A worker without django-q2 around it: it looks by itself every second, or is rung with `worker.ring()`."""
    worker = Worker("a-worker", engine, beat=lambda: None)  # type: ignore[arg-type]  # a double
    worker.start()
    yield worker
    worker.drain(0)


def chat(**script: object) -> ChatRequest:
    """A chat whose prompt is a script for the fake engine."""
    turn = Turn("user", ({"type": "text", "text": json.dumps(script)},))
    return ChatRequest(model="claude-haiku-5-5", requested_model="haiku", turns=(turn,))
