from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.jobs import refusals, services
from apps.jobs.models import Job, Lane
from apps.jobs.sweep import hold_slots
from apps.keys import ratelimit
from apps.keys.models import ApiKey
from apps.keys.rates import Meter, RateLimited
from apps.permissions.models import Profile
from tests.jobs.conftest import Ask, at_once, followed


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    ratelimit._away_until = 0.0
    refusals._told.clear()
    yield
    ratelimit._away_until = 0.0


def open_slots(key: ApiKey) -> int:
    meter = ratelimit.peek(key=key).concurrent_jobs
    assert meter
    return meter.limit - meter.remaining


def tokens_left(key: ApiKey) -> int:
    meter = ratelimit.peek(key=key).tokens
    assert meter
    return meter.remaining


def test_the_request_above_the_limit_makes_no_job_and_is_on_record_once(atlas: ApiKey, ask: Ask) -> None:
    atlas.requests_per_minute = 2
    jobs = [ask(atlas), ask(atlas)]
    assert [job.rate.requests.remaining for job in jobs if job.rate and job.rate.requests] == [1, 0]
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            ask(atlas)
    assert refused.value.limited == "requests"
    assert Job.objects.count() == 2
    [deed] = AuditEvent.objects.filter(action="job.refused")
    assert (deed.data["limited"], deed.data["limit"]) == ("requests", 2)


def test_many_at_once_pass_exactly_as_often_as_the_limit_says(atlas: ApiKey, ask: Ask) -> None:
    atlas.requests_per_minute = 7

    def passes() -> bool:
        try:
            ask(atlas)
        except RateLimited:
            return False
        return True

    assert at_once([passes] * 20).count(True) == 7


def test_the_profile_bounds_how_many_jobs_are_open_and_the_end_of_one_makes_room(
    atlas: ApiKey, ask: Ask, worker: object
) -> None:
    Profile.objects.update(max_concurrency=1)
    atlas.refresh_from_db()
    first = ask(atlas, tokens=5, pause=0.4)
    with pytest.raises(RateLimited) as refused:
        ask(atlas)
    assert (refused.value.limited, refused.value.limit) == ("concurrent_jobs", 1)
    followed(first)
    followed(ask(atlas))
    assert open_slots(atlas) == 0


def test_an_ended_job_counts_with_the_tokens_that_it_used(atlas: ApiKey, ask: Ask, worker: object) -> None:
    atlas.tokens_per_minute = 10_000
    job = ask(atlas, tokens=5, pause=0.4)
    assert tokens_left(atlas) < 10_000 - 4_000, "reckoned with a usual answer"
    followed(job)
    assert tokens_left(atlas) == 10_000 - (10 + 5)


def test_a_request_that_is_refused_for_another_reason_keeps_no_slot_and_no_tokens(atlas: ApiKey, ask: Ask) -> None:
    atlas.tokens_per_minute = 10_000
    terms = budgets.Terms(limit_microusd=1)
    budgets.create(project=atlas.project, cycle=Cycle("day"), terms=terms, actor="test", now=timezone.now())
    with pytest.raises(budgets.BudgetExceeded):
        ask(atlas)
    assert (open_slots(atlas), tokens_left(atlas)) == (0, 10_000)


def test_a_cancelled_job_gives_its_slot_back(atlas: ApiKey, ask: Ask) -> None:
    job = ask(atlas)
    assert open_slots(atlas) == 1
    services.cancel(job=job, now=timezone.now())
    assert open_slots(atlas) == 0


def test_a_slot_is_given_back_only_when_the_end_is_committed(atlas: ApiKey, ask: Ask) -> None:
    job = ask(atlas)
    with transaction.atomic():
        services.cancel(job=job, now=timezone.now())
        transaction.set_rollback(True)
    assert open_slots(atlas) == 1


def test_batch_items_are_counted_but_take_no_slot_while_they_wait(atlas: ApiKey, ask: Ask, worker: object) -> None:
    atlas.requests_per_minute, atlas.tokens_per_minute, atlas.concurrent_jobs = 10, 50_000, 2
    jobs = [ask(atlas, lane=Lane.BATCH, tokens=5) for _ in range(4)]
    assert ratelimit.peek(key=atlas).concurrent_jobs == Meter(2, 2, 0)
    for job in jobs:
        followed(job)
    state = ratelimit.peek(key=atlas)
    assert state.requests
    assert (state.requests.remaining, tokens_left(atlas)) == (6, 50_000 - 4 * 15)


def test_the_sweep_prolongs_the_slots_of_open_jobs_of_either_kind(
    atlas: ApiKey, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []
    monkeypatch.setattr(ratelimit, "hold", lambda *, jobs: held.extend(job_id for _, job_id in jobs))
    waiting, running, ended = ask(atlas), ask(atlas), ask(atlas)
    now = timezone.now()
    lease = {"lease_until": now, "started_at": now, "worker": "w"}
    Job.objects.filter(pk=running.pk).update(status="in_progress", **lease)
    services.cancel(job=ended, now=now)
    hold_slots(now=now + timedelta(seconds=ratelimit.SLOT_LEASE_SECONDS / 2))
    assert sorted(held) == sorted([waiting.pk, running.pk])


def test_while_valkey_is_away_nobody_is_locked_out(atlas: ApiKey, ask: Ask, settings: Settings) -> None:
    atlas.requests_per_minute = atlas.concurrent_jobs = 1
    settings.VALKEY_URL = "unix:///nowhere/valkey.sock?db=0"
    jobs = [ask(atlas) for _ in range(3)]
    assert [job.rate.headers() for job in jobs if job.rate] == [{}, {}, {}]
