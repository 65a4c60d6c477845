from datetime import timedelta

import pytest
from django.utils import timezone

from apps.jobs import idempotency, services
from apps.jobs.idempotency import IdempotencyKeyReused, IdempotentRequest, Once
from apps.jobs.models import Job
from apps.jobs.sweep import sweep
from apps.keys import ratelimit
from apps.keys.models import ApiKey
from tests.jobs.conftest import at_once, both_databases, chat

ONCE = Once("a-key", "digest")


def submit(key: ApiKey, once: Once = ONCE) -> str:
    job = services.submit(key=key, request=chat(), request_id="req_1", now=timezone.now(), once=once)
    return job.id


@both_databases
def test_of_many_at_once_one_makes_the_job_and_all_get_it(atlas: ApiKey, valkey: object) -> None:
    ids = at_once([lambda: submit(atlas)] * 12)
    assert len(set(ids)) == 1
    assert Job.objects.count() == 1
    slots = ratelimit.peek(key=atlas).concurrent_jobs
    assert slots
    assert slots.limit - slots.remaining == 1, "those who came second have given theirs back"


def test_it_is_forgotten_after_a_day_and_then_pruned(atlas: ApiKey, valkey: object) -> None:
    first = submit(atlas)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))
    sweep(node="n", now=timezone.now())
    assert submit(atlas) == first
    IdempotentRequest.objects.update(created_at=timezone.now() - idempotency.KEEP)
    assert submit(atlas) != first
    IdempotentRequest.objects.update(created_at=timezone.now() - idempotency.KEEP)
    sweep(node="n", now=timezone.now())
    assert not IdempotentRequest.objects.exists()


def test_it_belongs_to_its_api_key(atlas: ApiKey, borealis: ApiKey, valkey: object) -> None:
    assert submit(atlas) != submit(borealis)


def test_the_same_one_for_something_else_raises(atlas: ApiKey, valkey: object) -> None:
    submit(atlas)
    with pytest.raises(IdempotencyKeyReused):
        submit(atlas, Once("a-key", "another digest"))


def test_a_job_that_came_to_nothing_is_replaced_once(atlas: ApiKey, valkey: object) -> None:
    first = submit(atlas)
    now = timezone.now()
    Job.objects.update(status="failed", error_code="worker_lost", finished_at=now)
    again = set(at_once([lambda: submit(atlas)] * 6))
    assert len(again) == 1
    assert again != {first}
