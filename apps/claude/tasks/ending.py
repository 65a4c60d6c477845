"""The end of a task's CLI, however it comes: nothing that the task started is left when it is over.

A task that is stopped is interrupted, asked to end (SIGTERM, everything in its jail), and killed, in at most 1.5 s. One
that is over by itself is killed at once.
"""

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
"""For the CLI to take the interruption."""
RESULT_SECONDS = 0.5
"""For its last words, with which its transcript is complete."""
TERM_SECONDS = 0.5
"""For whatever runs in the jail to end when it is asked to."""
_GONE_SECONDS = 5.0


class SomethingLives(Exception):
    """A process of the task could not be ended; the message names it."""


async def interrupted(cli: CliProcess, lane: Lane) -> None:
    """Stop spending at once, let the CLI finish its transcript, as long as it answers, and ask the rest to end."""
    lane.cut()
    with contextlib.suppress(CliGone, TimeoutError):
        await cli.control("interrupt", INTERRUPT_SECONDS)
        async with asyncio.timeout(RESULT_SECONDS):
            while not isinstance(await cli.frame(), TaskResult):
                pass
    await _asked_to_end(cli)


async def _asked_to_end(cli: CliProcess) -> None:
    """SIGTERM to all in the jail but its first process, with which it would be over at once."""
    watched = _watch(family(cli.pid)[2:])
    try:
        for _, fd in watched:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(fd, signal.SIGTERM)
        deadline = asyncio.get_running_loop().time() + TERM_SECONDS
        while asyncio.get_running_loop().time() < deadline and not all(_is_over(fd) for _, fd in watched):  # noqa: ASYNC110  the kernel sets no Event
            await asyncio.sleep(0.01)
    finally:
        for _, fd in watched:
            os.close(fd)


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
