"""Where a task sits: a room, a lane and a jailed CLI that has been told nothing yet.

A seat is taken by one task and cleared after it, never shared. For shapes that were asked for lately one is kept
prepared: starting a CLI takes most of what a short task takes, and it knows nothing of the task yet.
"""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.claude import jail as walls
from apps.claude.egress import Egress, Lane
from apps.claude.jail import Jail
from apps.claude.network import walls as network
from apps.claude.network.line import Line
from apps.claude.network.reach import Reach
from apps.claude.process import CliProcess
from apps.claude.tasks import ending, launch
from apps.claude.tasks.frames import parse
from apps.claude.tasks.launch import Limits, Shape
from apps.claude.tasks.room import Room
from apps.claude.tasks.walls import prove
from apps.claude.taskspec import Skill

_FIRST_UID = walls.JAIL_UID + 1
"""Tasks of a service that is root have uids of their own, so that not even the host lets one see another's files."""
_SPARE_DELAY_SECONDS = 1.5
"""A new spare waits until the task that took the last one is on its way, or over if it is short."""
_SPARE_SECONDS = 900.0
"""A spare that nobody wanted for so long is let go."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an engine has found out about where it runs."""

    cli: Path
    jail: Jail | None
    jail_fault: str | None
    egress: Egress
    runtime_dir: Path
    cache_dir: Path
    tested_version: str
    """The CLI's, of which is known what it has under our flags."""
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class Seat:
    """One task's own."""

    room: Room
    lane: Lane
    cli: CliProcess
    line: Line | None = None
    """Its way to the network, where what it was granted needs one."""
    since: float = field(default_factory=time.monotonic)


class Seats:
    """All seats of one engine. Belongs to its loop."""

    def __init__(self, place: Place, limits: Limits, spares: int) -> None:
        self._place = place
        self._limits = limits
        self._max_spares = spares
        self._spares: dict[Shape, Seat] = {}
        """The one wanted last stands last."""
        self._preparing: set[Shape] = set()
        """Those whose spare is being made: tasks that begin together want only one."""
        self._uids: set[int] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._clearing: set[asyncio.Task[None]] = set()
        self._closed = False
        self.fault = place.jail_fault
        """Why no task is taken, or None."""
        self.cli_version = place.jail.cli_version if place.jail else ""
        """As the CLI told it in the jail when the worker began."""
        if self.fault is None and self.cli_version != place.tested_version:
            self.fault = (
                f"the CLI is {self.cli_version or 'of no known version'}, and what tasks rely on was proven with "
                f"{place.tested_version}; set CLAUDE_CLI_VERSION once it is proven with yours"
            )
        self.network_broken: str | None = None
        """Why no task may use the network, as far as it was tried."""
        self._network_tried = False
        self._cli: Path | None = None
        self._staging = asyncio.Lock()

    async def ready(self) -> bool:
        """Whether tasks can be contained here; the CLI is copied when the first one comes."""
        async with self._staging:
            if self._cli is None and self._place.jail is not None and self.fault is None:
                caches = _caches(self._place.cache_dir)
                try:
                    self._cli = await asyncio.to_thread(walls.execute_only_cli, self._place.cli, caches)
                    await asyncio.to_thread(self._prove, self._place.jail, self._cli)
                except walls.JailBroken as broken:
                    self.fault = str(broken)
            return self._cli is not None and self.fault is None

    async def network_fault(self) -> str | None:
        """Why no task may use the network here, or None; tried when the first one wants to. `ready` comes first."""
        async with self._staging:
            if not self._network_tried and self._place.jail is not None and self._cli is not None:
                scratch = self._place.runtime_dir / "network"
                uid = _FIRST_UID if walls.runs_as_root() else None
                self.network_broken, self._network_tried = None, True
                try:
                    await asyncio.to_thread(_scratch, scratch, uid)
                    await network.prove(self._place.jail, self._cli, scratch, uid)
                except (walls.JailBroken, OSError) as broken:
                    self.network_broken = str(broken)
                    self._network_tried = not isinstance(broken, network.NotTried | OSError)
                await asyncio.to_thread(shutil.rmtree, scratch, True)
        return self.network_broken

    async def take(self, shape: Shape, skills: tuple[Skill, ...], furnish: Callable[[Room], object]) -> Seat:
        """A seat for a task of this shape; `furnish` brings what the CLI has to find when it starts.

        Raises OSError, ValueError.
        """
        spare = self._spares.pop(shape, None)
        if shape.resume is None and not shape.remotes:  # a spare would hold connections to the operator's servers
            self._later(self._prepare(shape, skills))
        if spare is not None and spare.cli.alive:
            return spare
        if spare is not None:
            await self.clear(spare)
        return await self._make(shape, skills, furnish)

    async def clear(self, seat: Seat) -> None:
        """End whatever still runs there, and leave nothing behind."""
        seat.lane.cut()
        try:
            await ending.ended(seat.cli)
        finally:
            if seat.line:
                await seat.line.close()
            await seat.lane.close()
            await asyncio.to_thread(seat.room.remove)
            if seat.room.uid is not None:
                self._uids.discard(seat.room.uid)

    def clear_later(self, seat: Seat) -> None:
        """Clear a seat that nobody will take any more; never cancelled, and waited for by `close`."""
        task = asyncio.create_task(self.clear(seat))
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def close(self) -> None:
        """End all spares, and see every seat cleared."""
        self._closed = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        while self._spares:
            self.clear_later(self._spares.popitem()[1])
        await asyncio.gather(*self._clearing, return_exceptions=True)

    async def _make(self, shape: Shape, skills: tuple[Skill, ...], furnish: Callable[[Room], object]) -> Seat:
        place = self._place
        assert place.jail is not None
        assert self._cli is not None
        room = await asyncio.to_thread(Room.make, place.runtime_dir / "tasks", self._take_uid())
        lane: Lane | None = None
        line: Line | None = None
        try:
            await asyncio.to_thread(room.furnish, skills)
            await asyncio.to_thread(furnish, room)
            lane = await place.egress.open_lane(place.runtime_dir / room.root.name, room.uid)
            if shape.uses_web or shape.remotes:
                line = Line(lane.directory, room.uid, place.reach, web=shape.uses_web, remotes=shape.remotes)
            command = launch.launch(
                cli=self._cli,
                jail=place.jail,
                lane=lane.directory,
                room=room,
                shape=shape,
                limits=self._limits,
                line=line,
            )
            cli = await CliProcess.spawn(command, parse)
            if line:
                await self._open(line, cli)
            return Seat(room, lane, cli, line)
        except BaseException:
            if line is not None:
                await line.close()
            if lane is not None:
                await lane.close()
            await asyncio.to_thread(room.remove)
            if room.uid is not None:
                self._uids.discard(room.uid)
            raise

    @staticmethod
    async def _open(line: Line, cli: CliProcess) -> None:
        try:
            await line.open()
        except BaseException:
            await cli.aclose()
            raise

    async def _prepare(self, shape: Shape, skills: tuple[Skill, ...]) -> None:
        """Keep a spare of this shape, and let go of those that are wanted least."""
        await asyncio.sleep(_SPARE_DELAY_SECONDS)
        if self._closed or self._max_spares < 1 or shape in self._spares or shape in self._preparing:
            return
        self._preparing.add(shape)
        try:
            with contextlib.suppress(OSError, ValueError):
                self._spares[shape] = await self._make(shape, skills, lambda _: None)
        finally:
            self._preparing.discard(shape)
        now = time.monotonic()
        old = [one for one, seat in self._spares.items() if now - seat.since > _SPARE_SECONDS]
        surplus = [one for one in self._spares if one not in old][: -self._max_spares]
        for one in (*old, *surplus):
            self.clear_later(self._spares.pop(one))

    def _prove(self, jail: Jail, cli: Path) -> None:
        """Raises JailBroken where a wall does not hold."""
        scratch = self._place.runtime_dir / "walls"
        scratch.mkdir(mode=0o755, parents=True, exist_ok=True)
        prove(jail, cli, scratch, _FIRST_UID)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _take_uid(self) -> int | None:
        if not walls.runs_as_root():
            return None
        uid = next(uid for uid in range(_FIRST_UID, _FIRST_UID + 1_000) if uid not in self._uids)
        self._uids.add(uid)
        return uid


def _scratch(directory: Path, uid: int | None) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if uid is not None:
        shutil.chown(directory, uid, uid)


def _caches(configured: Path) -> tuple[Path, ...]:
    """Where a copy of the CLI may be kept: root's own HOME is closed to a jail's uid."""
    if walls.runs_as_root():
        return (configured,)
    return (configured, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / configured.name)
