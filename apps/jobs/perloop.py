"""One of a thing for each running event loop."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes it when a loop first asks, and forgets it after the loop was closed."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def __call__(self) -> T:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            for closed in [each for each in self._made if each.is_closed()]:
                del self._made[closed]
            self._made[loop] = self._make()
        return self._made[loop]
