"""The straight path, in one process."""

from apps.jobs.execution import Worker
from apps.jobs.following import follow
from apps.jobs.models import Job
from apps.keys.models import ApiKey
from tests.jobs.conftest import Ask


async def _all(job: Job, after: int = 0) -> list[tuple[int, str, dict[str, object]]]:
    return [(e.sequence_number, e.type, e.data) async for e in follow(job.id, after=after)]


def test_a_job_is_answered_billed_and_told(atlas: ApiKey, ask: Ask, worker: Worker) -> None:
    import asyncio

    job = ask(atlas, tokens=3)
    worker.ring()
    events = asyncio.run(_all(job))
    job.refresh_from_db()
    assert job.status == "completed"
    assert asyncio.run(_all(job)) == events
