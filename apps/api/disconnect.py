"""What becomes of a job whose client has left."""

import asyncio

from django.conf import settings
from django.utils import timezone

from apps.api.threads import in_thread
from apps.jobs import services as jobs

UNSUBSCRIBE_SECONDS = 0.2
"""By then Valkey knows that this process does not follow the job any more, and only others count."""
_leaving: set[asyncio.Task[None]] = set()
"""The loop keeps only weak references to its tasks."""


def abandon_later(job_id: str) -> None:
    """Cancel the job after CHAT_DISCONNECT_GRACE_SECONDS unless somebody follows it then. Call it on the event loop."""
    task = asyncio.get_running_loop().create_task(_abandon(job_id))
    _leaving.add(task)
    task.add_done_callback(_leaving.discard)


async def _abandon(job_id: str) -> None:
    await asyncio.sleep(max(settings.CHAT_DISCONNECT_GRACE_SECONDS, UNSUBSCRIBE_SECONDS))
    await in_thread(jobs.abandon, job_id=job_id, now=timezone.now())
