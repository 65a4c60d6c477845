import asyncio

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from apps.jobs import eventlog, services
from apps.jobs.execution import Worker
from apps.jobs.following import follow_batches
from apps.jobs.models import Job
from apps.keys.models import ApiKey
from apps.keys.services import InvalidKey
from tests.jobs.conftest import Ask, followed
from tests.jobs.fake_engine import FakeEngine
from tests.support.waiting import eventually, eventually_async


def _running(engine: FakeEngine, job: Job) -> None:
    eventually(lambda: job.pk in engine.started)


def test_a_queued_job_ends_at_once(atlas: ApiKey, ask: Ask) -> None:
    job = ask(atlas)

    assert services.cancel(job=job, now=timezone.now())

    [event] = followed(job)
    assert (event.type, event.data["status"]) == ("error", "cancelled")
    assert event.data["usage"] == dict.fromkeys(event.data["usage"], 0)  # type: ignore[call-overload]


def test_a_running_job_is_stopped_and_billed_for_what_it_did(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    job = ask(atlas, tokens=2, hang=True)
    _running(engine, job)

    assert services.cancel(job=job, now=timezone.now())

    last = followed(job)[-1]
    assert (last.type, last.data["status"], last.data["result"]) == ("error", "cancelled", "t0 t1 ")
    assert Job.objects.get(pk=job.pk).output_tokens == 2


def test_a_worker_that_missed_the_message_notices_by_the_row(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    job = ask(atlas, hang=True)
    _running(engine, job)

    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())

    assert followed(job)[-1].data["status"] == "cancelled"


def test_a_revoked_keys_jobs_end_and_nobody_elses(
    atlas: ApiKey, borealis: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    theirs = ask(borealis, hang=True)
    running = [ask(atlas, hang=True) for _ in range(3)]
    eventually(lambda: len(engine.started) == 4)
    queued = [ask(atlas) for _ in range(3)]

    assert services.revoke_running(key_id=atlas.pk, now=timezone.now()) == 6

    assert {followed(job)[-1].data["status"] for job in running + queued} == {"cancelled"}
    theirs.refresh_from_db()
    assert theirs.status == "in_progress"


def test_a_chat_that_nobody_follows_is_abandoned(atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine) -> None:
    job = ask(atlas, hang=True)
    _running(engine, job)

    assert services.abandon(job_id=job.pk, now=timezone.now())

    assert followed(job)[-1].data["status"] == "cancelled"
    assert not services.abandon(job_id=job.pk, now=timezone.now())


def test_a_chat_that_somebody_follows_is_not_abandoned(
    atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine
) -> None:
    job = ask(atlas, tokens=1, hang=True)

    async def follow_a_while() -> tuple[bool, bool]:
        batches = follow_batches(job.pk)
        await anext(batches)
        while_followed = await asyncio.to_thread(_abandon, job)
        await batches.aclose()
        await eventually_async(lambda: asyncio.to_thread(lambda: not eventlog.has_followers(job.pk)))
        return while_followed, await asyncio.to_thread(_abandon, job)

    assert asyncio.run(follow_a_while()) == (False, True)


def test_while_valkey_is_away_nobody_is_taken_for_gone(atlas: ApiKey, ask: Ask, settings: Settings) -> None:
    job = ask(atlas)
    settings.VALKEY_URL = "unix:///nowhere/valkey.sock?db=0"

    assert not _abandon(job)


def _abandon(job: Job) -> bool:
    try:
        return services.abandon(job_id=job.pk, now=timezone.now())
    finally:
        connections.close_all()


def test_a_key_that_was_revoked_since_it_was_read_submits_nothing(atlas: ApiKey, ask: Ask) -> None:
    ApiKey.objects.filter(pk=atlas.pk).update(revoked_at=timezone.now())
    with pytest.raises(InvalidKey):
        ask(atlas)
    assert not Job.objects.exists()


def test_what_slipped_in_while_its_key_was_revoked_is_ended_by_the_sweep(atlas: ApiKey, ask: Ask) -> None:
    job = ask(atlas)
    ApiKey.objects.filter(pk=atlas.pk).update(revoked_at=timezone.now())
    assert services.end_of_revoked_keys(now=timezone.now()) == 1
    assert Job.objects.get(pk=job.pk).status == "cancelled"
