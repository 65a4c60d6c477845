"""The batch object: how a batch looks to a client. Its items' results are asked for by themselves."""

from apps.jobs.batches.models import Batch
from apps.jobs.events import Event


def terminal_event(batch: Batch) -> Event:
    """What tells those who wait for a batch that it has ended."""
    return Event(1, "done", {"id": batch.pk, "object": "batch", "status": batch.status})
