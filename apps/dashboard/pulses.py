"""Whether anything changed in a project, for any number of open pages: one look at the database for all of them."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from logging import getLogger

from django.db import Error, connections

from apps.dashboard.queries.jobs import pulse

LOOK_SECONDS = 1.0

logger = getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Watch:
    """One project, while anybody looks at it."""

    watchers: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


_watches: dict[tuple[int, int], _Watch] = {}


async def changes(project_id: int, *, patience_seconds: float) -> AsyncGenerator[bool, None]:
    """True whenever something changed, False when nothing did for so long."""
    place = (id(asyncio.get_running_loop()), project_id)
    watch = _watches.setdefault(place, _Watch())
    watch.watchers += 1
    watch.task = watch.task or asyncio.ensure_future(_look_forever(project_id, watch))
    try:
        while True:
            bell = watch.bell
            try:
                async with asyncio.timeout(patience_seconds):
                    await bell.wait()
            except TimeoutError:
                yield False
            else:
                yield True
    finally:
        watch.watchers -= 1
        if not watch.watchers:
            watch.task.cancel()
            _watches.pop(place, None)


async def _look_forever(project_id: int, watch: _Watch) -> None:
    seen = ""
    while True:
        try:
            found = await asyncio.to_thread(_look, project_id)
        except Error as error:
            logger.warning("could not look for changes: %s", error)
        else:
            if seen and found != seen:
                bell, watch.bell = watch.bell, asyncio.Event()
                bell.set()
            seen = found
        await asyncio.sleep(LOOK_SECONDS)


def _look(project_id: int) -> str:
    try:
        return pulse(project_id)
    finally:
        connections.close_all()
