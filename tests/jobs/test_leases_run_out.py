"""A worker that is not heard of loses its jobs; a worker that only seemed dead can do no harm."""

import asyncio
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.db.models import Q
from pytest_django import Settings
from redis import ConnectionError as ValkeyAway
from redis import ResponseError

from apps.claude.spec import Metered, Text
from apps.jobs import eventlog, queue, sweep
from apps.jobs import valkey as keys
from apps.jobs.events import Event
from apps.jobs.execution import Worker
from apps.jobs.models import Call, Job
from apps.jobs.requests import run_spec
from apps.jobs.writer import Writer
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, both_databases, followed, text_of
from tests.jobs.fake_engine import FakeEngine, metered
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

LATER = timedelta(minutes=5)


def _sweep(now: datetime) -> int:
    return sweep.close_lost_jobs(closer="sweep", where=Q(lease_until__lte=now), now=now)


def _lose(job: Job, now: datetime) -> None:
    """Make the job look as if its worker had not been heard of for long."""
    Job.objects.filter(pk=job.pk).update(lease_until=now - timedelta(seconds=1))


@both_databases
def test_a_lost_job_is_closed_and_billed_for_what_was_metered(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine, now: datetime
) -> None:
    job = ask(atlas, tokens=5, hang=True)
    eventually(lambda: keys.client().hlen(keys.calls(job.pk)))
    eventually(lambda: keys.client().xlen(keys.stream(job.pk)) == 3)
    _lose(job, now)

    assert _sweep(now) == 1

    job.refresh_from_db()
    assert (job.status, job.error_code, job.result) == ("failed", "worker_lost", "t0 t1 t2 t3 t4 ")
    assert (job.output_tokens, job.estimated) == (5, True)
    assert Call.objects.get(job=job).cost_microusd == job.cost_microusd
    assert not keys.client().exists(keys.calls(job.pk))


def test_a_worker_that_comes_back_stops_its_lost_run_and_bills_nothing_more(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine, now: datetime
) -> None:
    job = ask(atlas, tokens=2, hang=True)
    eventually(lambda: keys.client().xlen(keys.stream(job.pk)) == 3)
    _lose(job, now)
    _sweep(now)
    bill = Job.objects.values("status", "cost_microusd", "finished_at").get(pk=job.pk)

    eventually(lambda: engine.free() == engine.slots, seconds=60)

    assert Job.objects.values("status", "cost_microusd", "finished_at").get(pk=job.pk) == bill
    assert Call.objects.filter(job=job).count() == 1


def test_what_a_lost_worker_still_writes_reaches_nobody(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job

    async def write_before_and_after() -> None:
        writer = Writer()
        sending = asyncio.create_task(writer.run())
        transcript = writer.open(job.pk, project_id=job.project_id)
        await transcript.emit(Text("before"))
        await transcript.emit(Metered(metered(run_spec(job), 1, estimated=True)))
        await asyncio.to_thread(eventually, lambda: keys.client().hlen(keys.calls(job.pk)))
        await asyncio.to_thread(_close_as_lost, job, now)
        for word in ("one", "two", "three"):
            await transcript.emit(Text(word))
            transcript.complete()
        writer.send_now()
        await asyncio.to_thread(eventually, lambda: transcript.sent == 4)
        sending.cancel()
        await writer.aclose(seconds=1)

    asyncio.run(write_before_and_after())

    events = followed(job)
    assert [(event.sequence_number, event.type) for event in events] == [(1, "token"), (2, "error")]
    assert text_of(events) == "before"
    keys.client().delete(keys.stream(job.pk))
    assert followed(job) == events


@pytest.mark.parametrize("said", [0, 2])
def test_a_seized_log_takes_nothing_more(valkey: ValkeyServer, said: int) -> None:
    client, events = keys.client(), [Event(number, "token", {"text": "hi"}) for number in (1, 2, 3)]
    for event in events[:said]:
        eventlog.append(client, "job_x", event)

    assert eventlog.seize("job_x") == (events[:said], [])

    with pytest.raises(ResponseError) as refused:
        eventlog.append(client, "job_x", events[said])
    assert eventlog.is_repetition(refused.value)
    assert eventlog.seize("job_x") == (events[:said], []), "whoever seizes it again sees the same"


def test_a_lost_job_waits_for_valkey_because_its_bill_is_there(
    atlas: ApiKey, ask: Ask, settings: Settings, now: datetime
) -> None:
    ask(atlas)
    job = queue.claim(worker="w", now=now)
    assert job
    there = settings.VALKEY_URL
    settings.VALKEY_URL = "unix:///nowhere/valkey.sock?db=0"

    with pytest.raises(ValkeyAway):
        _sweep(now + LATER)
    assert Job.objects.get(pk=job.pk).status == "in_progress"

    settings.VALKEY_URL = there
    assert _sweep(now + 2 * LATER) == 1


def test_a_live_workers_jobs_keep_their_lease(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine, now: datetime
) -> None:
    job = ask(atlas, hang=True)
    eventually(lambda: job.pk in engine.started)
    Job.objects.filter(pk=job.pk).update(lease_until=now)

    eventually(lambda: not Job.objects.lease_over(now).exists(), seconds=60)


def _close_as_lost(job: Job, now: datetime) -> None:
    assert sweep.close_lost_jobs(closer="sweep", where=Q(worker="w"), now=now) == 1
    connections.close_all()
