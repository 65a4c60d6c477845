"""What tests of batches share: making one, and how its items stand."""

from datetime import datetime
from typing import Any

from apps.budgets import services as budgets
from apps.budgets.models import Budget, BudgetWindow
from apps.budgets.periods import Cycle, PeriodName
from apps.budgets.services import Terms
from apps.jobs.batches import feeding, services
from apps.jobs.batches.items import NewItem
from apps.jobs.batches.models import Batch, BatchItem
from apps.jobs.models import Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import chat, followed


def items(count: int, **script: Any) -> list[NewItem]:
    return [NewItem(request=chat(**{"tokens": 1, "text": f"answer {number}", **script})) for number in range(count)]


def create(key: ApiKey, new: list[NewItem], now: datetime, *, patient: bool = False) -> Batch:
    """A batch that has been begun. An impatient one refuses what the budget cannot pay."""
    batch = services.create(key=key, items=new, request_id="req_1", patient=patient, now=now)
    feeding.feed(batch_id=batch.pk, now=now)
    return fresh(batch)


def fresh(batch: Batch) -> Batch:
    return Batch.objects.select_related("project", "api_key__profile").get(pk=batch.pk)


def ended(batch: Batch) -> Batch:
    """The batch, once it has ended."""
    followed_end = followed(Job(id=batch.pk))
    assert [event.type for event in followed_end] == ["done"]
    return fresh(batch)


def outcomes(batch: Batch) -> list[str]:
    """The status, answer or error of each item, in its place."""
    jobs = {job.pk: job for job in Job.objects.filter(batch_id=batch.pk)}
    found = []
    for item in BatchItem.objects.of(batch.pk).in_order():
        job = jobs.get(item.job_id)
        found.append((job.result or job.error_code or "open") if job else (item.error or {"code": "waiting"})["code"])
    return [str(each) for each in found]


def limit(key: ApiKey, microusd: int, now: datetime, *, period: PeriodName = "day") -> Budget:
    cycle = Cycle(period, rolling=False, time_zone="UTC", anchor=1)
    terms = Terms(limit_microusd=microusd)
    return budgets.create(project=key.project, cycle=cycle, terms=terms, actor="test", now=now)


def held(budget: Budget) -> int:
    return BudgetWindow.objects.get(budget=budget).reserved_microusd


def spent(budget: Budget) -> int:
    return BudgetWindow.objects.get(budget=budget).spent_microusd
