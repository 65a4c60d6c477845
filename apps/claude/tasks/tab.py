"""The tab of one task: many calls at once, each with the worst that it can cost set aside before it is made."""

import asyncio
from collections.abc import Callable

from apps.claude.metering import Meter
from apps.claude.spec import Metered
from apps.claude.tab import Bill
from apps.claude.tasks.admission import Fence


class TaskTab(Bill):
    """Open from the start of a task until its calls are billed. Belongs to one event loop."""

    __slots__ = ("_changed", "checked", "fence", "reserved", "turnstile")

    def __init__(self, cap_microusd: int, fence: Fence, emit: Callable[[Metered], None]) -> None:
        super().__init__(cap_microusd, emit)
        self.fence = fence
        self.checked = asyncio.Event()
        """Set once the CLI was found to have what was granted and no more; no call leaves before."""
        self.turnstile = asyncio.Lock()
        """Held while a call is fitted into what is left, so that two never count on the same money."""
        self.reserved: dict[str, int] = {}
        """Micro-dollars set aside, by the id of the call under way."""
        self._changed = asyncio.Event()

    def remaining_microusd(self) -> int:
        """What is neither spent nor set aside."""
        spent = sum(call.cost_microusd for call in self.calls() if call.id not in self.reserved)
        return self.cap_microusd - spent - sum(self.reserved.values())

    def settle(self, meter: Meter) -> None:
        """The call is over: what it was billed stays, the rest of what was set aside is free again."""
        self.reserved.pop(meter.id, None)
        self._changed.set()

    async def another_settles(self) -> None:
        """Wait until a call that is under way is over. There has to be one."""
        self._changed.clear()
        await self._changed.wait()
