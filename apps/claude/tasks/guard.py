"""Watches what a running task takes of the machine, where the kernel does not already bound it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from apps.claude.process import CliProcess
from apps.claude.tasks import inside
from apps.claude.tasks.inside import Usage
from apps.claude.tasks.room import Room

_PERIOD_SECONDS = 0.25
_SHARE = 10
"""Looking takes at most this fraction of the time, so that a million small files do not cost a core."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a task may take before it is ended."""

    disk_bytes: int = 1 << 30
    """In the workspace and HOME together."""
    entries: int = 50_000
    """Files and directories there."""
    memory_bytes: int = 4 << 30


async def watch(room: Room, cli: CliProcess, quota: Quota, over: Callable[[str], None]) -> None:
    """Look again and again until cancelled; call `over` with a sentence once the quota is exceeded."""
    pause = _PERIOD_SECONDS
    while True:
        await asyncio.sleep(pause)
        began = time.monotonic()
        taken = await asyncio.to_thread(_taken, room, quota)
        memory = await asyncio.to_thread(cli.memory_bytes)
        if taken.bytes > quota.disk_bytes:
            return over(f"The task wrote more than {quota.disk_bytes >> 20} MiB to its workspace.")
        if taken.entries > quota.entries:
            return over(f"The task made more than {quota.entries} files in its workspace.")
        if memory > quota.memory_bytes:
            return over(f"The task used more than {quota.memory_bytes >> 20} MiB of memory.")
        pause = max(_PERIOD_SECONDS, (time.monotonic() - began) * _SHARE)


def _taken(room: Room, quota: Quota) -> Usage:
    limit = Usage(quota.disk_bytes, quota.entries)
    work, home = inside.usage(room.workspace, limit), inside.usage(room.home, limit)
    return Usage(work.bytes + home.bytes, work.entries + home.entries)
