"""Which process answers which run: reuse within a project, never-used spares for everyone else, growth on demand.

A process is bound to the first project it serves and ends with it. Starting one costs most of a second of a core, so
with short answers it is faster to wait for a process than to start one; `growth` weighs that.
"""

import asyncio
import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from apps.claude.live import CliUnfit, LiveProcess

Starter = Callable[[], Awaitable[LiveProcess]]

START_COST_SECONDS = 1.0
"""What starting a process costs on one core; waiting that long for a live one is as good."""
RUN_CORE_SECONDS = 0.05
"""What a run itself costs on one core. More processes than the cores can feed only slow each other down."""
SPARE_DELAY_SECONDS = 0.3
"""A new spare waits until the run that took the last one is on its way."""
_TICK_SECONDS = 0.1
_START_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a process is let go."""

    slots: int
    spares: int = 1
    max_turns: int = 1_000
    max_age_seconds: float = 3_600
    max_memory_bytes: int = 600 << 20
    idle_seconds: float = 600
    memory_check_turns: int = 25


@dataclass(eq=False, slots=True)
class _Waiter:
    project: str
    process: asyncio.Future[LiveProcess]


def growth(*, waiting: int, live: int, starting: int, upstream_seconds: float, cores: int) -> int:
    """How many processes to start for one project's queue, before limits.

    waiting: runs in the queue; live: processes that serve this project; starting: on their way; upstream_seconds: how
    long a run waits for the model, as far as known, which is the time in which its core can feed other runs.
    """
    if waiting == 0 or live + starting == 0:
        return min(waiting, 1)
    run_seconds = upstream_seconds + RUN_CORE_SECONDS
    if live and waiting * run_seconds / (live + starting) <= START_COST_SECONDS:
        return 0
    fed = math.ceil(cores * run_seconds / RUN_CORE_SECONDS)
    return max(0, min(waiting - starting, fed - live - starting))


class Pool:
    """The live processes of one engine. All methods belong to its event loop."""

    def __init__(self, start: Starter, limits: Limits) -> None:
        self._start = start
        self._limits = limits
        self._all: set[LiveProcess] = set()
        self._fresh: deque[LiveProcess] = deque()
        self._idle: list[LiveProcess] = []
        self._waiters: deque[_Waiter] = deque()
        self._starting = 0
        self._upstream_seconds = 0.0
        self._background: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        """Processes on their way out, which `close` waits for and never cancels: their jails would outlive us."""
        self._closed = False
        self._cores = os.cpu_count() or 1
        self._max_starting = self._cores
        self.last_fault: str | None = None
        """Why the last start failed, None after one that worked."""

    def start(self) -> None:
        """Begin to keep spares and to let idle processes go."""
        self._spawn_task(self._tend())

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for waiter in self._waiters:
            waiter.process.cancel()
        for process in self._all:
            self._end(process)
        self._all.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def acquire(self, project: str, model: str) -> LiveProcess:
        """A process for this project, waiting as long as it takes; the caller bounds the wait."""
        process = self._take(project, model)
        if process is None:
            waiter = _Waiter(project, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            self._grow()
            try:
                process = await waiter.process
            except asyncio.CancelledError:
                self._give_up(waiter)
                raise
        process.busy = True
        return process

    def release(self, process: LiveProcess, upstream_seconds: float) -> None:
        """Take back an emptied process; upstream_seconds is how long its run waited for the model."""
        self._upstream_seconds += 0.2 * (upstream_seconds - self._upstream_seconds)
        process.busy = False
        process.idle_since = now = time.monotonic()
        if self._worn_out(process, now) or not process.cli.alive:
            self.discard(process)
        else:
            self._offer(process)

    def keep_busy(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the work of clearing a process go on behind the run that ended; `close` waits for it."""
        self._spawn_task(work)

    def discard(self, process: LiveProcess) -> None:
        """End a process that must not be used again."""
        if process in self._all:
            self._all.discard(process)
            self._forget(process)
            self._end(process)
            self._grow()

    def processes(self) -> Sequence[LiveProcess]:
        """All of them, for figures."""
        return tuple(self._all)

    @property
    def waiting(self) -> int:
        """Runs that have no process yet."""
        return len(self._waiters)

    def _take(self, project: str, model: str) -> LiveProcess | None:
        """The project's own warmest process, else a spare."""
        own = [process for process in self._idle if process.project == project]
        process = max(own, key=lambda each: (each.model == model, each.idle_since), default=None)
        if process is not None:
            self._idle.remove(process)
            return process
        while self._fresh:
            process = self._fresh.popleft()
            if process.cli.alive:
                process.project = project
                self._spawn_task(self._refill())
                return process
            self._all.discard(process)
            self._end(process)
        return None

    def _offer(self, process: LiveProcess) -> None:
        """Hand an idle process to whoever waits for it, oldest first, or keep it."""
        for waiter in self._waiters:
            if process.project in (None, waiter.project):
                self._waiters.remove(waiter)
                process.project = waiter.project
                waiter.process.set_result(process)
                return
        (self._idle if process.project else self._fresh).append(process)
        if self._waiters:
            self._grow()  # somebody of another project waits: this process may have to make room

    def _give_up(self, waiter: _Waiter) -> None:
        with contextlib.suppress(ValueError):
            self._waiters.remove(waiter)
        if waiter.process.done() and not waiter.process.cancelled():
            self._offer(waiter.process.result())

    def _grow(self) -> None:
        """Start what the queues need, within the slots, making room where only other projects' idle ones are left."""
        if self._closed or not self._waiters:
            return
        for project in dict.fromkeys(waiter.project for waiter in self._waiters):
            mine = [process for process in self._all if process.project == project]
            wanted = growth(
                waiting=sum(waiter.project == project for waiter in self._waiters),
                live=len(mine),
                starting=self._starting,
                upstream_seconds=self._upstream_estimate(mine),
                cores=self._cores,
            )
            for _ in range(wanted):
                if not self._start_one():
                    return

    def _upstream_estimate(self, processes: list[LiveProcess]) -> float:
        """How long the model takes: the running average, or what the present runs have waited already."""
        ages = sorted(process.upstream_seconds() for process in processes if process.busy)
        return max(self._upstream_seconds, ages[len(ages) // 2] if ages else 0.0)

    def _start_one(self) -> bool:
        if self._starting >= self._max_starting:
            return False
        if len(self._all) + self._starting >= self._limits.slots and not self._make_room():
            return False
        self._starting += 1
        self._spawn_task(self._bring_up())
        return True

    def _make_room(self) -> bool:
        """Let the process go that has been idle longest."""
        oldest = min(self._idle, key=lambda each: each.idle_since, default=None)
        if oldest is None:
            return False
        self._all.discard(oldest)
        self._forget(oldest)
        self._end(oldest)
        return True

    async def _bring_up(self) -> None:
        try:
            process = await self._start()
        except (CliUnfit, OSError) as error:
            self.last_fault = str(error)
            if not self._all:
                self._fail_waiters(error)
            await asyncio.sleep(_START_RETRY_SECONDS)
        else:
            self.last_fault = None
            self._all.add(process)
            self._offer(process)
        finally:
            self._starting -= 1
            self._grow()

    def _fail_waiters(self, error: Exception) -> None:
        """There is no process and none can be started: whoever waits hears it now rather than at its deadline."""
        while self._waiters:
            self._waiters.popleft().process.set_exception(CliUnfit(str(error)))

    async def _refill(self) -> None:
        """Keep the wanted number of never-used processes, as long as there are slots."""
        await asyncio.sleep(SPARE_DELAY_SECONDS)
        while not self._closed and len(self._fresh) + self._starting < self._limits.spares:
            if len(self._all) + self._starting >= self._limits.slots or self._starting >= self._max_starting:
                return
            self._starting += 1
            await self._bring_up()

    async def _tend(self) -> None:
        """Re-think growth while runs wait; let idle processes go; replace what died."""
        idle_check_at = 0.0
        while True:
            now = time.monotonic()
            self._grow()
            if now >= idle_check_at:
                idle_check_at = now + 1.0
                for process in [*self._idle, *self._fresh]:
                    stale = process.project is not None and now - process.idle_since > self._limits.idle_seconds
                    if stale or not process.cli.alive:
                        self.discard(process)
                await self._refill()
            await asyncio.sleep(_TICK_SECONDS)

    def _worn_out(self, process: LiveProcess, now: float) -> bool:
        limits = self._limits
        if not process.rewinds or process.turns >= limits.max_turns:
            return True
        if now - process.started_at > limits.max_age_seconds:
            return True
        weigh = process.turns % limits.memory_check_turns == 0
        return weigh and process.cli.memory_bytes() > limits.max_memory_bytes

    def _forget(self, process: LiveProcess) -> None:
        for where in (self._idle, self._fresh):
            with contextlib.suppress(ValueError):
                where.remove(process)

    def _end(self, process: LiveProcess) -> None:
        ending = asyncio.create_task(process.aclose())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _spawn_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
