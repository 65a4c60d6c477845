"""A worker's part in batches: when a job of one has ended, the next of its items are submitted."""

import asyncio
import logging

from django.db import Error
from django.utils import timezone

from apps.jobs.batches.feeding import go_on
from apps.jobs.database import DatabaseThreads

logger = logging.getLogger(__name__)


class Feeder:
    """Feeds batches one after the other, beside the work; each once more if it was poked meanwhile. For one loop."""

    def __init__(self) -> None:
        self._database = DatabaseThreads(1, keep_connections=True)
        self._poked: dict[str, None] = {}
        self._wake = asyncio.Event()

    def poke(self, batch_id: str) -> None:
        """A job of this batch has ended."""
        self._poked[batch_id] = None
        self._wake.set()

    async def run(self) -> None:
        """Feed until cancelled. What goes wrong is left to the sweep, which comes by every few seconds."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._poked:
                batch_id = next(iter(self._poked))
                del self._poked[batch_id]
                try:
                    await self._database.run(go_on, batch_id=batch_id, now=timezone.now())
                except Error as error:
                    logger.warning("batch %s could not be fed: %s", batch_id, error)
                except Exception:
                    logger.exception("batch %s could not be fed", batch_id)

    def close(self) -> None:
        """End the thread once it is done."""
        self._database.close()
