import asyncio
import random
import time

import pytest
from django.db import connections
from django.utils import timezone

from apps.jobs import following, valkey, writer
from apps.jobs.events import Event
from apps.jobs.execution import Worker
from apps.jobs.following import follow_batches
from apps.jobs.models import Job, JobEvent
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, both_databases, followed, text_of
from tests.jobs.fake_engine import FakeEngine
from tests.support.waiting import eventually, eventually_async


def _numbers(events: list[Event]) -> list[int]:
    return [event.sequence_number for event in events]


def _text(tokens: int) -> str:
    return "".join(f"t{number} " for number in range(tokens))


async def _with_reconnects(job: Job, reconnects: int, chance: random.Random) -> list[Event]:
    """Follow to the end, going away so many times at random moments."""
    events: list[Event] = []
    while not (events and events[-1].terminal):
        batches = follow_batches(job.pk, after=len(events))
        leave_at = time.monotonic() + chance.uniform(0, 0.1) if reconnects else float("inf")
        try:
            while time.monotonic() < leave_at and not (events and events[-1].terminal):
                async with asyncio.timeout(None if leave_at == float("inf") else max(0, leave_at - time.monotonic())):
                    events.extend(await anext(batches))
        except TimeoutError:
            pass
        finally:
            reconnects -= 1 if reconnects else 0
            await batches.aclose()
    return events


@both_databases
def test_forty_reconnects_lose_and_repeat_nothing(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=150, pause=0.015)
    chance = random.Random(7)

    async def watch() -> list[list[Event]]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(_with_reconnects(job, 40, chance) for _ in range(5)))

    for events in asyncio.run(watch()):
        assert _numbers(events) == list(range(1, len(events) + 1))
        assert text_of(events) == _text(150)
        assert events[-1].type == "done"


def test_two_hundred_followers_of_sixteen_jobs_see_the_same(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    engine.slots = 16
    jobs = [ask(atlas, tokens=40, pause=0.02) for _ in range(16)]
    chance = random.Random(8)

    async def watch() -> list[tuple[list[Event], int]]:
        async with asyncio.timeout(60):
            followers = [_with_reconnects(jobs[number % 16], number % 3, chance) for number in range(200)]
            watching = asyncio.gather(*followers)
            await asyncio.sleep(0.5)
            clients = await asyncio.to_thread(lambda: len(valkey.client().client_list(_type="pubsub")))
            return [(events, clients) for events in await watching]

    for events, clients in asyncio.run(watch()):
        assert _numbers(events) == list(range(1, len(events) + 1))
        assert text_of(events) == _text(40)
        assert clients == 2, "one subscription for this process, one for the worker"


def test_any_position_can_be_resumed(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=6, pause=0.05)
    whole = followed(job)

    for position in range(len(whole) + 3):
        assert followed(job, after=position) == whole[position:]


def test_who_comes_late_does_not_wait_for_a_bell(
    atlas: ApiKey, ask: Ask, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RECHECK_SECONDS", 3600.0)
    job = ask(atlas, tokens=2)
    eventually(lambda: Job.objects.closed().filter(pk=job.pk).exists())

    assert followed(job) == followed(job)


@both_databases
def test_the_database_replays_what_was_live(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=6, pause=0.05)
    live = followed(job)

    valkey.client().flushdb()

    assert followed(job) == live
    assert followed(job, after=3) == live[3:]
    assert JobEvent.objects.filter(job=job).count() == len(live) - 1, "the terminal event is made from the row"


def test_a_closed_log_is_kept_for_minutes_and_an_open_one_not_for_ever(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    closed, running = ask(atlas, tokens=1), ask(atlas, tokens=1, hang=True)
    followed(closed)
    eventually(lambda: valkey.client().xlen(valkey.stream(running.pk)))

    assert 500 < valkey.client().ttl(valkey.stream(closed.pk)) <= 600
    assert 80_000 < valkey.client().ttl(valkey.stream(running.pk)) <= 86_400
    assert not valkey.client().exists(valkey.calls(closed.pk))


def test_the_first_token_is_not_held_back(
    atlas: ApiKey, ask: Ask, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "JOIN_SECONDS", 3600.0)
    job = ask(atlas, tokens=20, pause=0.1)

    eventually(lambda: valkey.client().xlen(valkey.stream(job.pk)) == 2)

    texts = [event.data["text"] for event in followed(job) if event.type == "token"]
    assert texts == ["t0 ", _text(20).removeprefix("t0 ")]


def test_later_tokens_are_joined_and_not_for_long(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=100, pause=0.005)

    tokens = [event for event in followed(job) if event.type == "token"]

    assert 5 < len(tokens) < 60


def test_the_end_is_told_after_it_is_in_the_database(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    for _ in range(10):
        job = ask(atlas, tokens=1)
        worker.ring()
        followed(job)
        assert Job.objects.get(pk=job.pk).status == "completed"


def test_an_end_without_a_bell_is_found_out(atlas: ApiKey, ask: Ask) -> None:
    """For instance when Valkey was away at the moment of closing."""
    job = ask(atlas)

    async def watch() -> list[Event]:
        async with asyncio.timeout(60):
            batches = follow_batches(job.pk)
            first = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(_end_silently, job)
            return list(await first)

    [event] = asyncio.run(watch())
    assert (event.sequence_number, event.type) == (1, "error")


def test_following_leaves_nothing_behind(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    job = ask(atlas, tokens=3)

    async def watch() -> None:
        async for _ in follow_batches(job.pk):
            pass
        hub = following._hub()
        assert not hub._tails
        assert not hub._bells
        bell = valkey.bell(job.pk)

        async def nobody_listens() -> bool:
            return await asyncio.to_thread(lambda: dict(valkey.client().pubsub_numsub(bell))) == {bell: 0}

        await eventually_async(nobody_listens)

    asyncio.run(watch())


def _end_silently(job: Job) -> None:
    facts = {"status": "failed", "error_code": "expired", "last_sequence_number": 1, "finished_at": timezone.now()}
    Job.objects.filter(pk=job.pk).update(**facts)
    connections.close_all()
