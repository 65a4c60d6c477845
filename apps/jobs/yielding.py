"""How batches give way on a busy machine: while people are served, they get what processor time those leave over.

A job that waits for the model costs nearly nothing, so beside people with slow models a batch soon runs in all slots
but one; where the processors themselves are short it goes down to a job every other second, begun while no person's job
runs if there is such a moment: a single person, who reads between two questions, then hardly meets it.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from apps.jobs.models import Job, Lane

PEOPLE_SECONDS = 2.0
"""So long after a person's job batches still give way: the next one will come."""
TRICKLE_SECONDS = 2.0
"""With no time left over a batch still begins a job this often, so that it ends one day."""
PATIENCE_SECONDS = 1.0
"""So long it waits for a moment in which no person's job runs."""
HOLD_SECONDS = 15.0
"""So long after it was too much a batch does not run more at a time, lest people feel every try."""
_PLENTY, _SHORT = 0.4, 0.25
"""Shares of idle processor time above which a batch may run more at a time, and below which less."""
_PLENTY_CORES, _SHORT_CORES = 1.25, 0.75
"""And so many idle processors: a job with a quick model takes nearly a whole one, which is half of a small machine."""
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
        cores: int | None = None,
    ) -> None:
        self._slots = slots
        self._clock, self._times = clock, times
        cores = cores or os.cpu_count() or 1
        self._plenty = min(0.9, max(_PLENTY, _PLENTY_CORES / cores))
        self._short = min(0.8, max(_SHORT, _SHORT_CORES / cores))
        self._running = {Lane.INTERACTIVE: 0, Lane.BATCH: 0}
        self._people_at = self._batch_at = self._came_at = self._hold_until = float("-inf")
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
        due = self._due_for(now)
        trickles = due >= 0 and (not self._running[Lane.INTERACTIVE] or due >= PATIENCE_SECONDS)
        return Lane.BATCH if trickles else Lane.INTERACTIVE

    def began(self, job: Job) -> None:
        """A job was claimed."""
        now = self._clock()
        if job.lane == Lane.BATCH:
            self._batch_at = now
        elif not self._running[Lane.INTERACTIVE] and now - self._people_at > PEOPLE_SECONDS:
            self._allowed = 0.0  # people have come: begin anew from nothing
            self._came_at = now
            self._looked_at, self._before = now, self._times()
        self._running[Lane(job.lane)] += 1

    def ended(self, job: Job) -> bool:
        """A job that was claimed is over. Whether this is a moment for a batch's job that is due."""
        self._running[Lane(job.lane)] -= 1
        if job.lane == Lane.BATCH:
            return False
        self._people_at = now = self._clock()
        is_worked_on = now - self._batch_at < HOLD_SECONDS
        return is_worked_on and not self._running[Lane.INTERACTIVE] and self._due_for(now) >= 0

    def _due_for(self, now: float) -> float:
        """For how many seconds a job of a batch has been due with no time left over; negative: it is not."""
        if self._running[Lane.BATCH]:
            return -1.0
        return now - max(self._batch_at, self._came_at) - TRICKLE_SECONDS

    def _look(self, now: float) -> None:
        """Every now and then: more or less at a time, by how idle the machine was meanwhile."""
        if now - self._looked_at < _TICK_SECONDS:
            return
        after, before = self._times(), self._before
        self._looked_at, self._before = now, after
        if after is None or before is None or after[1] <= before[1]:
            return
        idle = (after[0] - before[0]) / (after[1] - before[1])
        if idle > self._plenty and now >= self._hold_until:
            self._allowed = min(float(self._slots), self._allowed * 1.5 + 1)
        elif idle < self._short:
            self._allowed = self._allowed / 2 if self._allowed > 1 else 0.0
            self._hold_until = now + HOLD_SECONDS
