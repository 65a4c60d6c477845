"""Where an engine's tasks are run: who may be which uid, and whether tasks can be run at all."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from apps.claude import jail as walls
from apps.claude.egress import Egress
from apps.claude.jail import Jail
from apps.claude.spec import Outcome
from apps.claude.tasks import results
from apps.claude.tasks.run import Bounds, Shop, TaskRun

_FIRST_UID = walls.JAIL_UID + 1
"""Tasks of a service that is root have uids of their own, so that not even the host lets one see another's files."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an engine has found out about where it runs."""

    cli: Path
    jail: Jail | None
    jail_fault: str | None
    egress: Egress
    runtime_dir: Path
    cache_dir: Path


class TaskShop:
    """Belongs to the engine's loop."""

    def __init__(self, place: Place, bounds: Bounds) -> None:
        self._place = place
        self._bounds = bounds
        self.fault = place.jail_fault
        """Why no task is taken, or None."""
        self._uids: set[int] = set()
        self._cli: Path | None = None
        self._staging = asyncio.Lock()

    async def run(self, task: TaskRun) -> Outcome:
        """Do one task, or refuse it where it could not be contained."""
        cli, place = await self._staged(), self._place
        if place.jail is None or cli is None:
            reason = self.fault or "there is no jail"
            message = f"Tasks are refused on this worker, because they could not be contained: {reason}"
            return Outcome("failed", results.JAIL_UNAVAILABLE, message)
        uid = self._take_uid()
        rooms = place.runtime_dir / "tasks"
        try:
            return await task.answer(Shop(cli, place.jail, place.egress, place.runtime_dir, rooms, uid, self._bounds))
        finally:
            if uid is not None:
                self._uids.discard(uid)

    async def _staged(self) -> Path | None:
        """The CLI as a jail may run but not read it; copied when the first task of all comes."""
        async with self._staging:
            if self._cli is None and self._place.jail is not None and self.fault is None:
                caches = _caches(self._place.cache_dir)
                try:
                    self._cli = await asyncio.to_thread(walls.execute_only_cli, self._place.cli, caches)
                except walls.JailBroken as broken:
                    self.fault = str(broken)
            return self._cli if self.fault is None else None

    def _take_uid(self) -> int | None:
        if not walls.runs_as_root():
            return None
        uid = next(uid for uid in range(_FIRST_UID, _FIRST_UID + 1_000) if uid not in self._uids)
        self._uids.add(uid)
        return uid


def _caches(configured: Path) -> tuple[Path, ...]:
    """Where a copy of the CLI may be kept: root's own HOME is closed to a jail's uid."""
    if walls.runs_as_root():
        return (configured,)
    return (configured, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / configured.name)
