"""The end of a task's CLI, however it comes: nothing that the task started is left when it is over."""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Iterable

from apps.claude.egress import Lane
from apps.claude.process import CliGone, CliProcess, family
from apps.claude.tasks.frames import TaskResult

INTERRUPT_SECONDS = 0.5
RESULT_SECONDS = 0.5
TERM_SECONDS = 0.3
_GONE_SECONDS = 5.0


class SomethingLives(Exception):
    """A process of the task could not be ended; the message names it."""


async def interrupted(cli: CliProcess, lane: Lane) -> None:
    """Stop spending at once, then let the CLI finish its transcript, as long as it answers."""
    lane.cut()
    with contextlib.suppress(CliGone, TimeoutError):
        await cli.control("interrupt", INTERRUPT_SECONDS)
        async with asyncio.timeout(RESULT_SECONDS):
            while not isinstance(await cli.frame(), TaskResult):
                pass


async def ended(cli: CliProcess) -> None:
    """End the CLI and its jail, and wait until the last process in it is gone. Raises SomethingLives."""
    watched = _watch(family(cli.pid))
    try:
        await cli.aclose()
        deadline = asyncio.get_running_loop().time() + _GONE_SECONDS
        while alive := [pid for pid, fd in watched if not _is_over(fd)]:
            if asyncio.get_running_loop().time() > deadline:
                raise SomethingLives(f"process {alive[0]} of a task does not end")
            for pid, fd in watched:
                if pid in alive:
                    with contextlib.suppress(OSError):
                        signal.pidfd_send_signal(fd, signal.SIGKILL)
            await asyncio.sleep(0.01)
    finally:
        for _, fd in watched:
            os.close(fd)


def _watch(pids: Iterable[int]) -> list[tuple[int, int]]:
    """A descriptor for each process, which no later process of the same number can be mistaken for."""
    watched = []
    for pid in pids:
        with contextlib.suppress(OSError):
            watched.append((pid, os.pidfd_open(pid)))
    return watched


def _is_over(fd: int) -> bool:
    """Whether the process has ended, reaped or not. A jail's first process ends after all others in it."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
