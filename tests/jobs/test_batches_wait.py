"""Batches that have no money or no room for the moment: they wait, beside their key's people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.budgets import services as budgets
from apps.budgets.models import BudgetWindow
from apps.budgets.services import Terms
from apps.budgets.verifying import verify
from apps.jobs.batches import feeding, services
from apps.jobs.batches.items import NewItem, share_of
from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.closing import close_queued
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Lane
from apps.jobs.services import CANCELLED
from apps.keys.models import ApiKey
from apps.keys.rates import RateLimited
from tests.jobs.batching import create, ended, fresh, items, limit, outcomes
from tests.jobs.conftest import Ask, at_once, both_databases, chat
from tests.jobs.fake_engine import MICROUSD_PER_TOKEN
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

USD = 1_000_000


@pytest.fixture(autouse=True)
def _valkey(valkey: ValkeyServer) -> None:
    """Everything here announces ends."""


@both_databases
def test_a_patient_batch_waits_for_its_budget_and_goes_on_when_it_resets(
    atlas: ApiKey, now: datetime, worker: Worker
) -> None:
    share = share_of(chat(tokens=1)).microusd
    budget = limit(atlas, 2 * share + share // 2, now)
    spend = [NewItem(request=chat(tokens=share // MICROUSD_PER_TOKEN, text="")) for _ in range(4)]
    batch = create(atlas, spend, now, patient=True)
    eventually(lambda: fresh(batch).waits_for, message="it never ran out of money")
    assert fresh(batch).status == "in_progress"
    waits_for = fresh(batch).waits_for or {}
    assert waits_for["code"] == "insufficient_quota"
    resets_at = datetime.fromtimestamp(waits_for["resets_at"], UTC)
    assert outcomes(batch).count("waiting") == 2
    before = Job.objects.count(), AuditEvent.objects.filter(action="job.refused").count()
    feeding.tend(now=now)
    assert (Job.objects.count(), AuditEvent.objects.filter(action="job.refused").count()) == (*before[:1], 0)
    feeding.tend(now=resets_at)
    batch = ended(batch)
    assert (batch.status, batch.completed, batch.failed, batch.waits_for) == ("completed", 4, 0, None)
    assert sorted(BudgetWindow.objects.filter(budget=budget).values_list("reserved_microusd", flat=True)) == [0, 0]
    assert verify().differences == ()


def test_a_patient_batch_goes_on_when_its_budget_is_raised(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    share = share_of(chat(tokens=1)).microusd
    budget = limit(atlas, share + share // 2, now, period="total")
    spend = [NewItem(request=chat(tokens=share // MICROUSD_PER_TOKEN, text="")) for _ in range(2)]
    batch = create(atlas, spend, now, patient=True)
    eventually(lambda: fresh(batch).waits_for, message="it never ran out of money")
    budgets.edit(budget=budget, terms=Terms(limit_microusd=USD), actor="test", now=now)
    feeding.tend(now=timezone.now() + feeding.TRY_AGAIN)
    assert ended(batch).completed == 2


def test_a_patient_batch_that_gets_no_money_in_its_time_says_so(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    share = share_of(chat(tokens=1)).microusd
    limit(atlas, share + share // 2, now, period="total")
    spend = [NewItem(request=chat(tokens=share // MICROUSD_PER_TOKEN, text="")) for _ in range(2)]
    batch = create(atlas, spend, now, patient=True)
    eventually(lambda: fresh(batch).waits_for, message="it never ran out of money")
    feeding.tend(now=now + services.WINDOW)
    batch = ended(batch)
    assert (batch.status, batch.completed, batch.failed) == ("expired", 1, 1)
    error = BatchItem.objects.get(batch=batch, index=1).error or {}
    assert error["code"] == "batch_expired"
    assert "waited for its budget" in error["message"]


def test_what_no_budget_could_ever_pay_is_not_waited_for(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    small, large = (replace(chat(tokens=1), max_tokens=most) for most in (10, 1_000))
    limit(atlas, share_of(small).microusd * 3, now)
    batch = ended(create(atlas, [NewItem(request=large), NewItem(request=small)], now, patient=True))
    assert (outcomes(batch)[0], batch.completed) == ("insufficient_quota", 1)
    assert AuditEvent.objects.filter(action="job.refused").count() == 1


def test_batches_of_a_key_run_no_more_than_its_limit_beside_its_people(atlas: ApiKey, ask: Ask, now: datetime) -> None:
    atlas.concurrent_jobs = 3
    atlas.save()
    person = ask(atlas)
    first, second = create(atlas, items(5), now), create(atlas, items(5), now)
    assert (feeding.open_jobs(first.pk), feeding.open_jobs(second.pk)) == (2, 0)
    ask(atlas), ask(atlas)  # and none of them is refused for it
    with pytest.raises(RateLimited):
        ask(atlas)
    close_queued(job=person, outcome=CANCELLED, now=now)
    feeding.tend(now=now)
    assert Job.objects.filter(lane=Lane.BATCH).count() == 2  # people have come meanwhile: no more are opened


def test_the_next_batch_of_a_key_follows_at_once(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    atlas.concurrent_jobs = 1
    atlas.save()
    batches = [create(atlas, items(2), now) for _ in range(3)]
    assert feeding.open_jobs(batches[2].pk) == 0
    assert [outcomes(ended(batch)) for batch in batches] == [["answer 0", "answer 1"]] * 3


@both_databases
def test_feeders_at_once_do_not_pass_the_limit_of_their_key(atlas: ApiKey, now: datetime) -> None:
    atlas.concurrent_jobs = 4
    atlas.save()
    batches = [services.create(key=atlas, items=items(10), request_id="r", now=now) for _ in range(2)]

    def feed(batch: Batch) -> Callable[[], None]:
        return lambda: feeding.feed(batch_id=batch.pk, now=now)

    at_once([feed(batch) for batch in batches * 3])
    assert Job.objects.filter(lane=Lane.BATCH).count() == 4


def test_the_admin_says_what_a_batch_waits_for(atlas: ApiKey, now: datetime, admin_client: Client) -> None:
    batch = create(atlas, items(1), now)
    Batch.objects.filter(pk=batch.pk).update(waits_for={"code": "insufficient_quota", "message": "Nothing is left."})
    page = admin_client.get(f"/admin/jobs/batch/{batch.pk}/change/", headers={"host": "localhost"}).content.decode()
    assert "Nothing is left." in page
