"""An item's place in its batch, as `submit` is told about it, and the room that its key has for jobs of batches."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from apps.budgets.fitting import Amounts
from apps.jobs.batches.models import BatchItem
from apps.keys import ratelimit
from apps.keys.models import ApiKey

# In the words of the indexes of open jobs; the plus keeps SQLite and PostgreSQL from the index of all jobs of the key.
_OPEN = """
    SELECT
        (SELECT COUNT(*) FROM jobs_job WHERE status = 'queued' AND lane IN (0, 1) AND project_id = %s
            AND +api_key_id = %s)
        + (SELECT COUNT(*) FROM jobs_job WHERE status = 'in_progress' AND project_id = %s AND +api_key_id = %s)
"""


class Taken(Exception):
    """The item has its job already, or is not to have one any more."""


class NoRoom(Exception):
    """The key has as many open jobs as it may have; items wait until one of them has ended."""


def room(key: ApiKey) -> int:
    """How many jobs of batches may be opened for the key now.

    Its limit of jobs at a time, less all that are open, people's and those of its other batches: people are never
    refused because of a batch, and a batch takes what they leave.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [key.project_id, key.pk] * 2)
        opened = int(cursor.fetchone()[0])
    return (ratelimit.limits_of(key).concurrent_jobs or 0) - opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which item of which batch a job is for."""

    batch_id: str
    index: int
    share: Amounts
    """What the batch's hold keeps for it."""
    expires_at: datetime
    """When nobody needs its answer any more."""
    may_wait: bool = False
    """Whether it will be tried again if there is no money for it now: then that is no refusal to put on record."""

    def enter(self, key: ApiKey) -> None:
        """See that the key has room, and that nobody fills it meanwhile; in the job's transaction. Raises NoRoom."""
        # SQLite's transactions are IMMEDIATE: there is no other writer anyway.
        ApiKey.objects.select_for_update(no_key=True, of=("self",)).only("pk").get(pk=key.pk)
        if room(key) <= 0:
            raise NoRoom

    def take(self, job_id: str) -> None:
        """Give the item its job; in the job's own transaction, so that no item ever has two. Raises Taken."""
        item = BatchItem.objects.of(self.batch_id).waiting().filter(index=self.index)
        if not item.update(waiting=False, job_id=job_id, request=None):
            raise Taken
