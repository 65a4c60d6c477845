"""Calls that wait for a person: asked, decided once, denied when nobody does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from apps.claude.spec import ApprovalAsked, ApprovalDecided, Decision, Event
from apps.claude.tasks.frames import HookAsk

EXPIRY = "expiry"


@dataclass(slots=True)
class Approvals:
    """Those of one task. Belongs to the engine's loop."""

    ask_tools: frozenset[str]
    seconds: float
    emit: Callable[[Event], Awaitable[None]]
    _allowed: set[str] = field(default_factory=set)
    """Tools that were allowed for the rest of the task."""
    _waiting: dict[str, asyncio.Future[tuple[Decision, str]]] = field(default_factory=dict)
    _waited_seconds: float = 0.0
    _since: float = 0.0
    """When the first of those that wait now began to."""

    def needed(self, asked: HookAsk) -> bool:
        """Whether this call has to wait for somebody."""
        return asked.tool_name in self.ask_tools and asked.tool_name not in self._allowed

    def is_waiting(self, call_id: str) -> bool:
        """Whether a decision about this call would be heard."""
        return call_id in self._waiting

    def decide(self, call_id: str, decision: Decision, by: str) -> None:
        """Somebody has decided; the first one counts."""
        future = self._waiting.get(call_id)
        if future is not None and not future.done():
            future.set_result((decision, by))

    @property
    def waited_seconds(self) -> float:
        """How long the task has waited for people; calls that wait side by side count once."""
        return self._waited_seconds + (time.monotonic() - self._since if self._waiting else 0.0)

    async def wait(self, asked: HookAsk) -> str | None:
        """Ask, wait, and tell why the call may not run, or None."""
        future: asyncio.Future[tuple[Decision, str]] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting[asked.tool_use_id] = future
        expires_at = time.time() + self.seconds
        try:
            await self.emit(ApprovalAsked(asked.tool_use_id, asked.tool_name, asked.tool_input, expires_at))
            async with asyncio.timeout(self.seconds):
                decision, by = await future
        except TimeoutError:
            decision, by = "deny", EXPIRY
        finally:
            waited = self.waited_seconds
            del self._waiting[asked.tool_use_id]
            if not self._waiting:
                self._waited_seconds = waited
        await self.emit(ApprovalDecided(asked.tool_use_id, decision, by))
        if decision == "deny":
            return "Nobody allowed this call in time." if by == EXPIRY else "This call was denied by a person."
        if decision == "job":
            self._allowed.add(asked.tool_name)
        return None
