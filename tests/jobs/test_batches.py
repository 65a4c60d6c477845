"""Batches on the path of jobs, with a worker that runs the fake engine."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.budgets.models import Hold
from apps.budgets.services import BudgetExceeded
from apps.budgets.verifying import verify
from apps.jobs import queue, sweep
from apps.jobs.batches import feeding, finishing, services
from apps.jobs.batches.items import NewItem, share_of
from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.closing import close_queued
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Lane, Status
from apps.jobs.requests import ChatRequest
from apps.jobs.services import CANCELLED
from apps.keys.models import ApiKey
from tests.jobs.batching import create, ended, fresh, held, items, limit, outcomes, spent
from tests.jobs.conftest import Ask, at_once, both_databases, chat
from tests.jobs.fake_engine import MICROUSD_PER_TOKEN
from tests.support.valkey import ValkeyServer

USD = 1_000_000


@pytest.fixture(autouse=True)
def _valkey(valkey: ValkeyServer) -> None:
    """Everything here announces ends."""


def deny_opus(key: ApiKey) -> None:
    assert key.profile
    key.profile.allow = ["model:haiku"]
    key.profile.save()


@both_databases
def test_answers_stand_in_the_order_of_their_questions(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    batch = ended(create(atlas, items(70), now))
    assert batch.status == "completed"
    assert outcomes(batch) == [f"answer {number}" for number in range(70)]
    assert (batch.total, batch.completed, batch.failed) == (70, 70, 0)
    assert batch.cost_microusd == 70 * MICROUSD_PER_TOKEN
    assert Job.objects.filter(batch_id=batch.pk, lane=Lane.BATCH).count() == 70


def test_only_so_many_of_its_jobs_are_open_at_a_time(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, items(100), now)
    assert Job.objects.count() == feeding.open_jobs(batch.pk) == feeding.MAX_OPEN
    assert BatchItem.objects.of(batch.pk).waiting().count() == 100 - feeding.MAX_OPEN


def test_the_count_of_open_jobs_uses_the_small_index(atlas: ApiKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {feeding._OPEN}", ["batch_1"])
        assert "job_batch_open" in str(cursor.fetchall())


@both_databases
def test_each_item_has_its_own_end(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    """Answered, wrong from the start, refused by the profile, failed upstream, out of time."""
    deny_opus(atlas)
    hard = ChatRequest(model="claude-opus-5-5", requested_model="opus", turns=chat().turns)
    wrong = {"code": "invalid_value", "message": "No.", "param": "messages", "status": 400}
    new = [
        *items(1),
        NewItem(error=wrong),
        NewItem(request=hard),
        NewItem(request=chat(tokens=0, overloaded=["claude-haiku-5-5"])),
        *items(2),
    ]
    batch = ended(create(atlas, new, now))
    assert outcomes(batch) == ["answer 0", "invalid_value", "model_not_allowed", "overloaded", "answer 0", "answer 1"]
    assert (batch.status, batch.completed, batch.failed) == ("completed", 3, 3)
    assert BatchItem.objects.get(batch=batch, index=1).error == wrong


def test_a_batch_of_nothing_but_wrong_items_is_completed_at_once(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, [NewItem(error={"code": "invalid_type", "message": "No."})] * 3, now)
    assert (batch.status, batch.completed, batch.failed) == ("completed", 0, 3)


@both_databases
def test_the_hold_covers_every_item_and_is_given_back_to_the_micro_dollar(
    atlas: ApiKey, now: datetime, worker: Worker
) -> None:
    budget = limit(atlas, 50 * USD, now)
    batch = services.create(key=atlas, items=items(40), request_id="r", now=now)
    shares = sum(item.share_microusd for item in BatchItem.objects.of(batch.pk))
    assert held(budget) == Hold.objects.get(job_id=batch.pk).amount_microusd == shares > 0
    feeding.feed(batch_id=batch.pk, now=now)
    ended(batch)
    assert (held(budget), spent(budget)) == (0, 40 * MICROUSD_PER_TOKEN)
    assert verify().differences == ()


def test_items_that_the_budget_cannot_pay_are_refused_in_their_places(
    atlas: ApiKey, now: datetime, engine: Any, worker: Worker
) -> None:
    share = share_of(chat(tokens=1)).microusd
    budget = limit(atlas, 2 * share + share // 2, now)
    spend = {"tokens": share // MICROUSD_PER_TOKEN, "text": ""}
    batch = ended(create(atlas, [NewItem(request=chat(**spend)) for _ in range(5)], now))
    assert outcomes(batch).count("insufficient_quota") >= 2
    assert outcomes(batch)[0] != "insufficient_quota"
    assert batch.status == "completed"
    assert held(budget) == 0
    assert spent(budget) <= 2 * share + share // 2
    assert verify().differences == ()


def test_a_batch_that_could_not_pay_a_single_item_is_not_made(atlas: ApiKey, now: datetime) -> None:
    limit(atlas, 10, now)
    with pytest.raises(BudgetExceeded):
        services.create(key=atlas, items=items(3), request_id="r", now=now)
    assert not Batch.objects.exists()
    assert not BatchItem.objects.exists()


def test_people_who_wait_go_first(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    create(atlas, items(5), now)
    person = ask(atlas)
    claimed = queue.claim(worker="w", now=timezone.now())
    assert claimed
    assert claimed.pk == person.pk


@both_databases
def test_a_cancelled_batch_keeps_what_it_has_and_asks_no_more(atlas: ApiKey, now: datetime, engine: Any) -> None:
    budget = limit(atlas, 50 * USD, now)
    batch = create(atlas, items(50), now)
    running = queue.claim(worker="gone", now=now)
    assert running
    assert services.cancel(batch=batch, now=now)
    assert not services.cancel(batch=batch, now=now)
    batch = fresh(batch)
    assert batch.status == "cancelling"  # one of its jobs has not ended yet
    assert outcomes(batch).count("cancelled") == 49
    assert Job.objects.filter(batch_id=batch.pk, status=Status.IN_PROGRESS, cancel_requested_at=now).count() == 1
    Job.objects.filter(pk=running.pk).update(status=Status.QUEUED, lease_until=None, started_at=None)
    close_queued(job=running, outcome=CANCELLED, now=now)
    sweep.sweep(node="n", now=now)
    batch = fresh(batch)
    assert (batch.status, batch.completed, batch.failed) == ("cancelled", 0, 50)
    assert held(budget) == 0
    assert AuditEvent.objects.filter(action="batch.cancelled", target_id=batch.pk).count() == 1
    assert verify().differences == ()


def test_what_is_not_answered_in_time_is_not_asked_any_more(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, items(40), now)
    sweep.sweep(node="n", now=now + services.WINDOW)
    batch = fresh(batch)
    assert (batch.status, batch.failed) == ("expired", 40)
    assert set(outcomes(batch)[feeding.MAX_OPEN :]) == {"batch_expired"}
    assert batch.cancelling_at is None


def test_a_job_that_waits_behind_people_does_not_expire_before_its_batch(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, items(1), now)
    sweep.sweep(node="n", now=now + timedelta(hours=2))
    assert outcomes(batch) == ["open"]
    assert Job.objects.get().status == Status.QUEUED


def test_a_revoked_key_ends_its_batches(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, items(40), now)
    atlas.revoked_at = now
    atlas.save()
    sweep.sweep(node="n", now=now)
    assert (fresh(batch).status, fresh(batch).failed) == ("cancelled", 40)


@both_databases
def test_two_feeders_at_once_give_no_item_two_jobs(atlas: ApiKey, now: datetime) -> None:
    limit(atlas, 50 * USD, now)
    batch = services.create(key=atlas, items=items(30), request_id="r", now=now)

    def feed() -> None:
        feeding.feed(batch_id=batch.pk, now=now)

    at_once([feed] * 3)
    jobs = Job.objects.filter(batch_id=batch.pk).order_by("batch_index").values_list("batch_index", flat=True)
    assert [*jobs] == list(range(30))
    assert verify().differences == ()


def test_a_batch_goes_on_where_nobody_feeds_it(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    """As after a SIGKILL between its rows and its first job."""
    batch = services.create(key=atlas, items=items(3), request_id="r", now=now)
    sweep.sweep(node="n", now=now)
    assert outcomes(ended(batch)) == ["answer 0", "answer 1", "answer 2"]


def test_an_end_that_was_begun_by_somebody_who_is_gone_is_finished(atlas: ApiKey, now: datetime) -> None:
    batch = services.create(key=atlas, items=[NewItem(error={"code": "x", "message": ""})], request_id="r", now=now)
    Batch.objects.filter(pk=batch.pk).update(status="finalizing", finalizing_at=now)
    feeding.tend(now=now)
    assert fresh(batch).status == "finalizing"
    feeding.tend(now=now + finishing.AGAIN_AFTER)
    assert fresh(batch).status == "completed"


def test_a_batch_is_ended_once(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, [NewItem(error={"code": "x", "message": ""})], now)
    assert not finishing.finish(batch=batch, now=now)
    assert AuditEvent.objects.filter(action="batch.closed").count() == 1


def test_a_worker_that_dies_costs_its_item_and_no_other(atlas: ApiKey, now: datetime) -> None:
    batch = create(atlas, items(3), now)
    dead = queue.claim(worker="dead", now=now - timedelta(hours=1))
    assert dead
    sweep.sweep(node="n", now=timezone.now())
    assert outcomes(batch) == ["worker_lost", "open", "open"]
    assert Job.objects.count() == 3
