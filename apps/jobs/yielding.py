"""How batches give way on a busy machine: while people are served, they get what processor time those leave over.

A job that waits for the model costs nearly nothing, so beside people with slow models a batch soon runs in all slots
but one; where the processors themselves are short it goes down to a job a second.
"""

import time
from collections.abc import Callable
from pathlib import Path

from apps.jobs.models import Job, Lane

PEOPLE_SECONDS = 2.0
"""So long after a person's job batches still give way: the next one will come."""
TRICKLE_SECONDS = 1.0
"""With no time left over a batch still begins a job this often, so that it ends one day."""
HOLD_SECONDS = 15.0
"""So long after it was too much a batch does not run more at a time, lest people feel every try."""
_PLENTY, _SHORT = 0.4, 0.25
"""Shares of idle processor time above which a batch may run more at a time, and below which less."""
_TICK_SECONDS = 0.5

Times = tuple[float, float]
"""Idle and all processor time until now, in any unit."""


def processor_times() -> Times | None:
    """Of this machine; None where that cannot be read."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        numbers = [float(field) for field in fields]
    except (OSError, ValueError):
        return None
    return (numbers[3], sum(numbers)) if len(numbers) > 3 else None


class Yielding:
    """One worker's rule for claiming from the batch lane. For one thread."""

    def __init__(
        self,
        slots: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        times: Callable[[], Times | None] = processor_times,
    ) -> None:
        self._slots = slots
        self._clock, self._times = clock, times
        self._running = {Lane.INTERACTIVE: 0, Lane.BATCH: 0}
        self._people_at = self._batch_at = self._hold_until = float("-inf")
        self._allowed = float(slots)
        self._looked_at, self._before = clock(), times()

    def last_lane(self, free: int) -> Lane:
        """The last lane that may be claimed from, with so many slots free.

        The last free slot is kept for people who wait, except where there is only one.
        """
        if free <= 1 < self._slots:
            return Lane.INTERACTIVE
        now = self._clock()
        if not self._running[Lane.INTERACTIVE] and now - self._people_at > PEOPLE_SECONDS:
            self._allowed = float(self._slots)
            return Lane.BATCH
        self._look(now)
        if self._running[Lane.BATCH] < int(self._allowed):
            return Lane.BATCH
        trickles = not self._running[Lane.BATCH] and now - self._batch_at >= TRICKLE_SECONDS
        return Lane.BATCH if trickles else Lane.INTERACTIVE

    def began(self, job: Job) -> None:
        """A job was claimed."""
        now = self._clock()
        if job.lane == Lane.BATCH:
            self._batch_at = now
        elif not self._running[Lane.INTERACTIVE] and now - self._people_at > PEOPLE_SECONDS:
            self._allowed = min(self._allowed, 1.0)  # people have come: begin anew from little
            self._looked_at, self._before = now, self._times()
        self._running[Lane(job.lane)] += 1

    def ended(self, job: Job) -> None:
        """A job that was claimed is over."""
        self._running[Lane(job.lane)] -= 1
        if job.lane != Lane.BATCH:
            self._people_at = self._clock()

    def _look(self, now: float) -> None:
        """Every now and then: more or less at a time, by how idle the machine was meanwhile."""
        if now - self._looked_at < _TICK_SECONDS:
            return
        after, before = self._times(), self._before
        self._looked_at, self._before = now, after
        if after is None or before is None or after[1] <= before[1]:
            return
        idle = (after[0] - before[0]) / (after[1] - before[1])
        if idle > _PLENTY and now >= self._hold_until:
            self._allowed = min(float(self._slots), self._allowed * 1.5 + 1)
        elif idle < _SHORT:
            self._allowed = self._allowed / 2 if self._allowed > 1 else 0.0
            self._hold_until = now + HOLD_SECONDS
