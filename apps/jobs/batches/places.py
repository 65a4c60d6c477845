"""An item's place in its batch, as `submit` is told about it."""

from dataclasses import dataclass
from datetime import datetime

from apps.budgets.fitting import Amounts
from apps.jobs.batches.models import BatchItem


class Taken(Exception):
    """The item has its job already, or is not to have one any more."""


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

    def take(self, job_id: str) -> None:
        """Give the item its job; in the job's own transaction, so that no item ever has two. Raises Taken."""
        item = BatchItem.objects.of(self.batch_id).waiting().filter(index=self.index)
        if not item.update(waiting=False, job_id=job_id, request=None):
            raise Taken
