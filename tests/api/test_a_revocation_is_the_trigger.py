"""What ends a revoked key's work is the revocation itself: no sweep, no look at the rows, no request is needed."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.api.keywatch import watch
from apps.jobs import services as jobs
from apps.jobs import valkey as nerve
from apps.jobs.models import Job
from apps.jobs.requests import ChatRequest
from apps.keys import ratelimit, services
from apps.keys.models import ApiKey
from tests.jobs.conftest import chat
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 60


@pytest.fixture
def key(settings: Settings, valkey: ValkeyServer) -> ApiKey:
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"
    ratelimit._away_until = 0.0
    now = timezone.now()
    project, _ = services.ensure_project(slug="atlas", now=now)
    return services.issue(project=project, name="ci", now=now)[0]


def submitted(key: ApiKey) -> Job:
    request: ChatRequest = chat()
    return jobs.submit(key=key, request=request, request_id="req_1", now=timezone.now())


def test_when_the_revocation_returns_queued_jobs_have_ended_and_workers_were_told(key: ApiKey) -> None:
    queued, running = submitted(key), submitted(key)
    leased = {"worker": "w", "lease_until": timezone.now() + timedelta(hours=1)}
    Job.objects.filter(pk=running.pk).update(status="in_progress", started_at=timezone.now(), **leased)
    heard = nerve.client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    heard.subscribe(nerve.control())
    heard.get_message(timeout=PATIENCE_SECONDS)

    assert services.revoke(key=key, now=timezone.now())

    queued.refresh_from_db()
    assert (queued.status, queued.error_code) == ("cancelled", "cancelled")
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    told: list[str | None] = []
    while running.pk not in told:
        message = heard.get_message(timeout=PATIENCE_SECONDS)
        assert message is not None, told
        told.append(json.loads(message["data"]).get("cancel"))
    assert told[-1] == running.pk
    heard.close()


def test_open_streams_and_sockets_of_every_web_process_end_and_others_do_not(key: ApiKey) -> None:
    """A process has one watch on its event loop; two loops are as two processes: they share only the rows."""
    other, _ = services.issue(project=key.project, name="other", now=timezone.now())
    looking, ended = threading.Barrier(3), list[str]()

    async def web_process(name: str) -> None:
        over = asyncio.Event()

        def end() -> None:
            ended.append(name)
            over.set()

        with watch().using(key, ended=end), watch().using(other, ended=lambda: ended.append("other")):
            looking.wait(PATIENCE_SECONDS)
            await asyncio.wait_for(over.wait(), PATIENCE_SECONDS)

    processes = [threading.Thread(target=asyncio.run, args=(web_process(name),)) for name in ("one", "two")]
    for each in processes:
        each.start()
    looking.wait(PATIENCE_SECONDS)
    assert ended == []
    services.revoke(key=key, now=timezone.now())
    for each in processes:
        each.join(PATIENCE_SECONDS)
    assert sorted(ended) == ["one", "two"]
