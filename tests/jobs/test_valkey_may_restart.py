"""Rows are the truth: when Valkey dies, live tokens pause, and nothing is lost."""

import asyncio
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from apps.jobs import eventlog
from apps.jobs import valkey as keys
from apps.jobs.events import Event
from apps.jobs.execution import Worker
from apps.jobs.following import follow_batches
from apps.jobs.models import Call, Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, followed, text_of
from tests.jobs.fake_engine import FakeEngine
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

TOKENS = 200
_HANDS = ThreadPoolExecutor(1)
"""A thread that stays: what a thread has started is told to end when that thread ends."""


@pytest.fixture
def mortal(private_valkey: ValkeyServer, settings: Settings) -> ValkeyServer:
    """The Valkey that everything here uses."""
    settings.VALKEY_URL = private_valkey.url
    return private_valkey


@pytest.fixture
def alive(mortal: ValkeyServer, worker: Worker) -> Worker:
    """A worker that was started on it."""
    return worker


def _watch(job: Job, disaster: Callable[[], None], *, times: int) -> list[list[Event]]:
    """What three followers of the job saw, while a disaster happened every half second."""

    async def follower() -> list[Event]:
        return [event async for batch in follow_batches(job.pk) for event in batch]

    async def happen() -> None:
        for _ in range(times):
            await asyncio.sleep(0.5)
            await asyncio.get_running_loop().run_in_executor(_HANDS, disaster)

    async def everything() -> list[list[Event]]:
        async with asyncio.timeout(60):
            happening = asyncio.ensure_future(happen())
            seen = await asyncio.gather(follower(), follower(), follower())
            await happening
            return list(seen)

    return asyncio.run(everything())


def _assert_whole(events: list[Event]) -> None:
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert text_of(events) == "".join(f"t{number} " for number in range(TOKENS))
    assert events[-1].type == "done"


def test_killed_and_restarted_mid_stream_it_loses_nothing(
    mortal: ValkeyServer, alive: Worker, atlas: ApiKey, ask: Ask
) -> None:
    job = ask(atlas, tokens=TOKENS, pause=0.015)

    seen = _watch(job, mortal.restart, times=3)

    for events in seen:
        _assert_whole(events)
    assert seen[0] == seen[1] == seen[2]
    assert Call.objects.get(job=job).output_tokens == TOKENS
    mortal.flush()
    assert followed(job) == seen[0]


def test_a_valkey_that_forgot_everything_is_told_again(
    mortal: ValkeyServer, alive: Worker, atlas: ApiKey, ask: Ask
) -> None:
    job = ask(atlas, tokens=TOKENS, pause=0.015)

    def lose_everything() -> None:
        mortal.kill()
        shutil.rmtree(Path(urlsplit(mortal.url).path).with_name("appendonlydir"))
        mortal.start()

    seen = _watch(job, lose_everything, times=2)

    for events in seen:
        _assert_whole(events)
    entries = cast("list[eventlog.Entry]", keys.client().xrange(keys.stream(job.pk)))
    assert eventlog.decode(entries) == seen[0]


def test_a_job_that_ends_while_valkey_is_away_is_closed_and_told(
    mortal: ValkeyServer, alive: Worker, atlas: ApiKey, ask: Ask, engine: FakeEngine
) -> None:
    job = ask(atlas, tokens=20, pause=0.05)
    eventually(lambda: job.pk in engine.started)

    mortal.kill()

    eventually(lambda: Job.objects.filter(pk=job.pk, status="completed").exists(), seconds=60)
    events = followed(job)
    assert (events[-1].type, len(text_of(events))) == ("done", len("".join(f"t{number} " for number in range(20))))


def test_jobs_that_come_while_valkey_is_away_are_run(
    mortal: ValkeyServer, alive: Worker, atlas: ApiKey, ask: Ask
) -> None:
    mortal.kill()

    began = time.monotonic()
    job = ask(atlas, tokens=3)

    assert followed(job)[-1].type == "done"
    assert time.monotonic() - began < 45
