from collections import Counter
from datetime import datetime
from functools import partial

from django.utils import timezone

from apps.jobs import queue
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Lane
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask, at_once, both_databases
from tests.jobs.fake_engine import FakeEngine
from tests.support.waiting import eventually


def _order(now: datetime, last_lane: Lane = Lane.BATCH) -> list[str]:
    """The ids of all that can be claimed, in that order."""
    claimed = []
    while job := queue.claim(worker="w", now=now, last_lane=last_lane):
        claimed.append(job.pk)
    return claimed


@both_databases
def test_the_oldest_goes_first(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    jobs = [ask(atlas).pk for _ in range(5)]

    assert _order(now) == jobs


@both_databases
def test_a_project_with_less_running_overtakes_a_longer_queue(
    atlas: ApiKey, borealis: ApiKey, ask: Ask, now: datetime
) -> None:
    many = [ask(atlas).pk for _ in range(4)]
    few = [ask(borealis).pk for _ in range(2)]

    assert _order(now) == [many[0], few[0], many[1], few[1], many[2], many[3]]


@both_databases
def test_people_go_before_files(atlas: ApiKey, borealis: ApiKey, ask: Ask, now: datetime) -> None:
    file = ask(atlas, lane=Lane.BATCH).pk
    people = [ask(borealis).pk, ask(borealis).pk]

    assert _order(now, last_lane=Lane.INTERACTIVE) == people
    assert _order(now) == [file]


@both_databases
def test_a_claimed_job_knows_what_it_needs_to_run_and_to_end(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    ask(atlas, tokens=7)

    job = queue.claim(worker="w", now=now)

    assert job
    assert job.project.slug == "atlas"
    stored = Job.objects.get(pk=job.pk)
    for field in Job._meta.concrete_fields:
        assert getattr(job, field.attname) == getattr(stored, field.attname), field.name
    assert stored.status == "in_progress"
    assert stored.lease_until
    assert stored.started_at
    assert (stored.lease_until - now).total_seconds() == queue.LEASE_SECONDS


def test_the_last_free_slot_is_kept_for_people(atlas: ApiKey, ask: Ask, worker: Worker, engine: FakeEngine) -> None:
    files = [ask(atlas, lane=Lane.BATCH, hang=True).pk for _ in range(6)]
    eventually(lambda: len(engine.started) == engine.slots - 1)

    person = ask(atlas, hang=True).pk

    eventually(lambda: engine.started[-1] == person)
    assert set(engine.started[:-1]) <= set(files)


@both_databases
def test_eight_claimers_take_each_job_once(atlas: ApiKey, borealis: ApiKey, ask: Ask) -> None:
    jobs = [ask(key).pk for _ in range(20) for key in (atlas, borealis)]

    def claim_all(worker: str) -> list[str]:
        claimed = []
        while job := queue.claim(worker=worker, now=timezone.now()):
            claimed.append(job.pk)
        return claimed

    workers = [f"w{number}" for number in range(8)]
    claimed = at_once([partial(claim_all, worker) for worker in workers])

    assert Counter(job for each in claimed for job in each) == Counter(jobs)
    for worker, each in zip(workers, claimed, strict=True):
        assert set(Job.objects.held_by(worker).values_list("pk", flat=True)) == set(each)
