"""That something changed in a project, for any number of open pages: one subscription for all of a process."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from apps.jobs import valkey
from apps.jobs.perloop import PerLoop
from apps.jobs.pubsub import Subscriber

CALM_SECONDS = 1.0
"""A page is told at once, and then at most this often: what happens meanwhile is told together."""


@dataclass(eq=False, slots=True)
class _Watch:
    """One page's wish to hear of some projects; None: of all."""

    ids: frozenset[int] | None
    bell: asyncio.Event = field(default_factory=asyncio.Event)


class _Hub:
    """All watching of one event loop. It asks nobody anything: it is told."""

    def __init__(self) -> None:
        self._watches: dict[int | None, set[_Watch]] = {}
        self._effective = False
        self._channel = valkey.news()
        self._subscriber = Subscriber(self._heard)
        self._task = asyncio.create_task(self._subscriber.run())

    def attach(self, watch: _Watch) -> None:
        """Tell the page from now on; the first time as soon as nothing can be missed any more."""
        if not self._watches:
            self._subscriber.add(self._channel)
        elif self._effective:
            watch.bell.set()
        for place in self._places(watch):
            self._watches.setdefault(place, set()).add(watch)

    def detach(self, watch: _Watch) -> None:
        """Tell it nothing more. After the last one nothing is listened to."""
        for place in self._places(watch):
            self._watches[place].discard(watch)
            if not self._watches[place]:
                del self._watches[place]
        if not self._watches:
            self._effective = False
            self._subscriber.remove(self._channel)

    def _heard(self, _channel: str, message: str | None) -> None:
        if message is None:  # subscribed, perhaps anew: whatever happened before may have been missed
            self._effective = True
            for watches in self._watches.values():
                _ring(watches)
        elif message.isdigit():
            _ring(self._watches.get(int(message), ()))
            _ring(self._watches.get(None, ()))

    @staticmethod
    def _places(watch: _Watch) -> Sequence[int | None]:
        return (None,) if watch.ids is None else tuple(watch.ids)


def _ring(watches: "set[_Watch] | tuple[()]") -> None:
    for watch in watches:
        watch.bell.set()


async def changes(ids: Sequence[int] | None) -> AsyncGenerator[None, None]:
    """Once as soon as nothing can be missed any more, then whenever something changed in one of these projects."""
    hub, watch = _hub(), _Watch(None if ids is None else frozenset(ids))
    hub.attach(watch)
    try:
        while True:
            await watch.bell.wait()
            watch.bell.clear()
            yield
            await asyncio.sleep(CALM_SECONDS)
    finally:
        hub.detach(watch)


_hub = PerLoop(_Hub)
"""The running loop's hub. It ends with its loop."""
