"""One task from its room to its outcome: launch, check, relay, end in time, leave nothing alive."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.claude import outcomes, protocol
from apps.claude.egress import Egress, Lane
from apps.claude.jail import Jail
from apps.claude.process import CliGone, CliProcess
from apps.claude.protocol import Frame, Nudge, TextDelta, ThinkingDelta
from apps.claude.spec import Event, Metered, Outcome, Started, Text, Thinking, ToolResult, ToolUse
from apps.claude.tasks import ending, gate, launch, results
from apps.claude.tasks.admission import Fence
from apps.claude.tasks.frames import Called, HookAsk, Init, Returned, Spoke, TaskResult, hook_reply, parse
from apps.claude.tasks.room import Room
from apps.claude.tasks.steps import StepLog
from apps.claude.tasks.tab import TaskTab
from apps.claude.taskspec import TaskSpec

Emit = Callable[[Event], Awaitable[None]]

START_SECONDS = 30.0


class _Stopped(Exception):
    """The task must end: cancelled, out of time, or over a limit."""


class TaskUnfit(Exception):
    """The CLI or the task's own words cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What it takes to run a task."""

    cli: Path
    jail: Jail
    egress: Egress
    lanes: Path
    rooms: Path
    limits: launch.Limits
    uid: int | None
    """Who the task is outside, where the service is root: nobody else's uid while it runs."""


class TaskRun:
    """Belongs to the engine's loop."""

    def __init__(self, spec: TaskSpec, emit: Emit) -> None:
        self.spec = spec
        self._emit = emit
        fence = Fence(frozenset({spec.model, *spec.models}), "WebSearch" in spec.tools)
        self._tab = TaskTab(spec.cap_microusd, fence, self._checkpoint)
        self._log = StepLog()
        self._stopped: tuple[str, str] | None = None
        self._cli: CliProcess | None = None
        self._lane: Lane | None = None
        self._background: set[asyncio.Future[Any]] = set()
        self._deadline = time.monotonic() + spec.wall_seconds
        self._watch: asyncio.TimerHandle | None = None
        self._text: list[str] = []

    def cancel(self) -> None:
        """Stop spending now; `answer` returns with status cancelled."""
        self._stop(outcomes.CANCELLED, "The job was cancelled.")

    async def answer(self, shop: Shop) -> Outcome:
        """Run it. Every failure is in the outcome."""
        self._look()
        room = await asyncio.to_thread(Room.make, shop.rooms, shop.uid)
        try:
            return await self._in_room(shop, room)
        except (TaskUnfit, CliGone, OSError, ValueError) as unfit:
            return self._failed(outcomes.CLI_ERROR, f"The CLI failed: {str(unfit)[:1000]}")
        finally:
            if self._watch:
                self._watch.cancel()
            await asyncio.to_thread(room.remove)
            if self._background:
                await asyncio.wait(self._background)

    async def _in_room(self, shop: Shop, room: Room) -> Outcome:
        shape = launch.Shape.of(self.spec)
        await asyncio.to_thread(room.furnish, self.spec.skills)
        await asyncio.to_thread(room.deliver, self.spec.files)
        lane = self._lane = await shop.egress.open_lane(shop.lanes / room.root.name, shop.uid)
        lane.tab = self._tab
        try:
            started = launch.launch(
                cli=shop.cli, jail=shop.jail, lane=lane.directory, room=room, shape=shape, limits=shop.limits
            )
            cli = self._cli = await CliProcess.spawn(started, parse)
            try:
                return results.ended(self._tab, self._log, await self._converse(cli))
            except _Stopped:
                await ending.interrupted(cli, lane)
                return self._failed(*(self._stopped or (outcomes.CANCELLED, "")))
            finally:
                lane.cut()
                await ending.ended(cli)
        finally:
            self._cli = None
            await lane.close()

    async def _converse(self, cli: CliProcess) -> TaskResult:
        """Start the conversation and relay it until the CLI calls it over."""
        try:
            reply = await cli.control("initialize", START_SECONDS, **launch.initialize(self.spec))
        except TimeoutError as error:
            raise TaskUnfit("it did not start in time") from error
        if reply.error is not None:
            raise TaskUnfit(f"it would not start: {reply.error}")
        if not reply.response.get("hook_on_failure_supported"):
            raise TaskUnfit("a hook that fails does not block a call in this version")
        if self._stopped:
            raise _Stopped
        cli.send(protocol.user_message(str(uuid.uuid4()), list(self.spec.prompt)))
        await self._emit(Started(self.spec.model))
        while True:
            frame = await cli.frame()
            if self._stopped:
                raise _Stopped
            self._tab.last_heard = time.monotonic()
            if isinstance(frame, TaskResult):
                return frame
            await self._hear(cli, frame)

    async def _hear(self, cli: CliProcess, frame: Frame) -> None:
        match frame:
            case Init():
                if found := gate.surplus(frame, self.spec):
                    raise TaskUnfit(f"it has more than was granted: {', '.join(found)}")
                self._tab.checked.set()
            case TextDelta(_, text):
                self._text.append(text)
                await self._emit(Text(text))
            case ThinkingDelta(_, text):
                await self._emit(Thinking(text))
            case Spoke():
                self._log.spoke(frame)
            case Called(call_id, name, tool_input, parent_id):
                self._log.called(frame)
                await self._emit(ToolUse(call_id, name, tool_input, parent_id))
            case HookAsk():
                self._judge(cli, frame)
            case Returned():
                await self._returned(frame)

    def _judge(self, cli: CliProcess, asked: HookAsk) -> None:
        reason = gate.denial(asked, self.spec)
        if reason is not None:
            self._log.reasons[asked.tool_use_id] = reason
        cli.send(hook_reply(asked.request_id, reason))

    async def _returned(self, frame: Returned) -> None:
        denied = self._log.returned(frame)
        if denied is not None:
            await self._emit(denied)
        await self._emit(ToolResult(frame.id, frame.content, frame.is_error, frame.parent_id))

    def _failed(self, code: str, message: str) -> Outcome:
        return results.failed(self._tab, self._log, code, message, "".join(self._text))

    def _stop(self, code: str, message: str) -> None:
        if self._stopped:
            return
        self._stopped = code, message
        if self._lane:
            self._lane.cut()
        if self._cli:
            self._cli.nudge(Nudge())

    def _look(self) -> None:
        """Check the deadlines, and again when the nearer one would pass."""
        now = time.monotonic()
        idle_deadline = self._tab.last_heard + self.spec.idle_seconds if self._is_models_turn() else self._deadline
        nearer = min(self._deadline, idle_deadline)
        if now >= nearer:
            self._stop(outcomes.TIMEOUT, "The job ran out of time: not done, or no further output, within its limits.")
            return
        if self._watch:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_later(min(nearer - now + 0.001, 1.0), self._look)

    def _is_models_turn(self) -> bool:
        """Whether silence is the model's: a tool that works for minutes, or waits for a person, is not silent."""
        return self._cli is not None and (bool(self._tab.reserved) or not self._log.pending)

    def _checkpoint(self, metered: Metered) -> None:
        task = asyncio.ensure_future(self._emit(metered))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
