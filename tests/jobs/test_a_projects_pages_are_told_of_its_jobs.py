"""Whoever looks at a project is told when a job of it comes, starts, waits for a word and ends."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis.client import PubSub

from apps.jobs import services
from apps.jobs import valkey as names
from apps.jobs.execution import Worker
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, followed
from tests.support.valkey import ValkeyServer


@pytest.fixture
def told(valkey: ValkeyServer) -> Iterator[PubSub]:
    with names.client().pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(names.news())
        assert pubsub.get_message(timeout=5) is None  # the subscription itself
        yield pubsub


def of(told: PubSub, number: int) -> list[int]:
    """The projects of the next messages."""
    found: list[int] = []
    while len(found) < number:
        message = told.get_message(timeout=20)
        assert message, f"only {found} came"
        found.append(int(message["data"]))
    return found


def test_when_it_comes_starts_and_ends(atlas: ApiKey, ask: Ask, told: PubSub, worker: Worker) -> None:
    job = ask(atlas, tokens=2)
    worker.ring()
    followed(job)
    assert of(told, 3) == [atlas.project_id] * 3


def test_when_it_is_cancelled_before_it_began(atlas: ApiKey, borealis: ApiKey, ask: Ask, told: PubSub) -> None:
    job = ask(borealis)
    assert of(told, 1) == [borealis.project_id]
    assert services.cancel(job=job, now=job.created_at)
    assert of(told, 1) == [borealis.project_id]


def test_a_job_is_submitted_though_nobody_can_be_told(
    atlas: ApiKey, ask: Ask, private_valkey: ValkeyServer, settings: Settings
) -> None:
    settings.VALKEY_URL = private_valkey.url
    private_valkey.kill()
    assert ask(atlas).pk
