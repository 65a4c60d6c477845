from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection
from pytest_django import Settings

from apps.jobs import sweep
from apps.jobs.broker import MAX_RINGS, RingBroker
from apps.jobs.ids import new_job_id
from apps.jobs.models import Job, JobEvent
from apps.jobs.queue import ring
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, both_databases, followed

MINUTE = timedelta(minutes=1)


@both_databases
def test_a_job_that_waited_too_long_expires(atlas: ApiKey, ask: Ask, now: datetime, settings: Settings) -> None:
    job = ask(atlas)

    sweep.sweep(node="n", now=now + MINUTE)
    assert Job.objects.get(pk=job.pk).status == "queued"
    sweep.sweep(node="n", now=now + MINUTE + timedelta(seconds=settings.JOB_TIMEOUT_SECONDS))

    [event] = followed(job)
    assert event.data["status"] == "failed"
    assert event.data["error"]["code"] == "expired"  # type: ignore[index]


def test_a_ring_that_was_lost_is_rung_again(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas)
    RingBroker().purge_queue()

    sweep.sweep(node="n", now=now)
    assert RingBroker().queue_size() == 0, "the job is fresh: its ring is on its way"
    sweep.sweep(node="n", now=now + MINUTE)
    assert RingBroker().queue_size() == 1


def test_rings_do_not_pile_up_while_no_worker_runs(valkey: object) -> None:
    for _ in range(MAX_RINGS + 20):
        ring()

    assert RingBroker().queue_size() == MAX_RINGS


@both_databases
def test_old_transcripts_go_and_results_stay(atlas: ApiKey, now: datetime, settings: Settings) -> None:
    settings.JOB_RETENTION_DAYS = 7
    old, young = (_closed_job(atlas, now - timedelta(days=days)) for days in (8, 6))

    sweep.sweep(node="n", now=now)

    assert set(JobEvent.objects.values_list("job_id", flat=True)) == {young.pk}
    [last] = followed(old)
    assert (last.sequence_number, last.type, last.data["result"]) == (3, "done", "hi")
    assert [event.sequence_number for event in followed(young)] == [1, 2, 3]


def _closed_job(key: ApiKey, at: datetime) -> Job:
    job = Job.objects.create(
        id=new_job_id(at),
        project=key.project,
        api_key=key,
        status="completed",
        model="m",
        requested_model="m",
        request={},
        result="hi",
        cap_microusd=1,
        last_sequence_number=3,
        created_at=at,
        finished_at=at,
        expires_at=at,
    )
    for number, (kind, data) in enumerate([("started", {"model": "m"}), ("token", {"text": "hi"})], 1):
        JobEvent.objects.create(job=job, sequence_number=number, type=kind, data=data)
    return job


def test_sqlite_s_log_is_emptied_by_the_sweep_so_that_requests_need_not(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    job = ask(atlas)
    file = Path(connection.settings_dict["NAME"])
    assert job.pk.encode() not in file.read_bytes(), "it is in the log"

    sweep.sweep(node="n", now=now)
    assert job.pk.encode() in file.read_bytes()
