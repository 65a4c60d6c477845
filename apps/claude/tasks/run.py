"""One task from its room to its outcome: launch, check, relay, end in time, leave nothing alive."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from apps.claude import outcomes, protocol
from apps.claude.egress import Lane
from apps.claude.network.connection import Connection
from apps.claude.process import CliGone, CliProcess
from apps.claude.protocol import Frame, Nudge, TextDelta, ThinkingDelta
from apps.claude.spec import Event, Metered, Outcome, Started, Text, Thinking, ToolResult, ToolUse
from apps.claude.tasks import ending, gate, inside, launch, results, sessions
from apps.claude.tasks.admission import Fence
from apps.claude.tasks.approvals import Approvals
from apps.claude.tasks.frames import Called, HookAsk, Init, Returned, Spoke, TaskResult, hook_reply
from apps.claude.tasks.guard import Quota, watch
from apps.claude.tasks.room import Room
from apps.claude.tasks.seats import Seat, Seats
from apps.claude.tasks.steps import StepLog
from apps.claude.tasks.tab import TaskTab
from apps.claude.taskspec import TaskSpec

Emit = Callable[[Event], Coroutine[Any, Any, None]]

START_SECONDS = 30.0


class _Stopped(Exception):
    """The task must end: cancelled, out of time, or over a limit."""


class TaskUnfit(Exception):
    """The CLI or the task's own words cannot be used; the message says why."""


class Surplus(Exception):
    """The CLI is not as it was granted; the message names what it has too much."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one task may take: by the kernel, by watching, and of what it leaves."""

    limits: launch.Limits = field(default_factory=launch.Limits)
    quota: Quota = field(default_factory=Quota)
    caps: inside.Caps = field(default_factory=inside.Caps)


class TaskRun:
    """Belongs to the engine's loop."""

    def __init__(self, spec: TaskSpec, emit: Emit, bounds: Bounds) -> None:
        self.spec = spec
        self._emit = emit
        self._bounds = bounds
        fence = Fence(frozenset({spec.model, *spec.models}), "WebSearch" in spec.tools)
        self._tab = TaskTab(spec.cap_microusd, fence, self._checkpoint)
        self._log = StepLog()
        self.approvals = Approvals(frozenset(spec.ask_tools), spec.approval_seconds, emit)
        self._stopped: tuple[str, str] | None = None
        self._cli: CliProcess | None = None
        self._lane: Lane | None = None
        self._session_id = ""
        self._version = ""
        self._background: set[asyncio.Task[None]] = set()
        self._judging: set[asyncio.Task[None]] = set()
        self._deadline = time.monotonic() + spec.wall_seconds
        self._watch: asyncio.TimerHandle | None = None
        self._text: list[str] = []

    def cancel(self) -> None:
        """Stop spending now; `answer` returns with status cancelled."""
        self._stop(outcomes.CANCELLED, "The job was cancelled.")

    async def answer(self, seats: Seats) -> Outcome:
        """Run it, or refuse it where it could not be contained. Every failure is in the outcome."""
        self._look()
        try:
            if not await seats.ready():
                message = f"Tasks are refused on this worker, because they could not be contained: {seats.fault}"
                return self._failed(results.JAIL_UNAVAILABLE, message)
            self._version = seats.cli_version
            resume = await asyncio.to_thread(sessions.kept, self.spec.session_dir)
            shape = launch.Shape.of(self.spec, resume)
            if (shape.uses_web or shape.remotes) and (fault := await seats.network_fault()):
                message = f"Tasks that use the network are refused on this worker: {fault}"
                return self._failed(results.JAIL_UNAVAILABLE, message)
            return await self._at(await seats.take(shape, self.spec.skills, self._restore), seats)
        except ValueError as wrong:
            return self._failed(outcomes.INVALID_REQUEST, str(wrong))
        except (OSError, ending.SomethingLives) as error:
            return self._failed(outcomes.CLI_ERROR, f"The task could not be prepared or cleared away: {error}")
        finally:
            if self._watch:
                self._watch.cancel()
            if self._background:
                await asyncio.wait(self._background)

    async def _at(self, seat: Seat, seats: Seats) -> Outcome:
        cli, self._lane = seat.cli, seat.lane
        guard = asyncio.create_task(watch(seat.room, cli, self._bounds.quota, self._over))
        try:
            delivered = await asyncio.to_thread(seat.room.deliver, self.spec.files)
            self._cli, self._lane.tab = cli, self._tab
            if seat.line:
                seat.line.proxy.let_in(self._connected)
            outcome = await self._outcome(seat)
            await ending.ended(cli)
            return await asyncio.to_thread(self._keep, seat.room, outcome, delivered)
        finally:
            guard.cancel()
            self._cli = None
            seats.clear_later(seat)

    async def _outcome(self, seat: Seat) -> Outcome:
        try:
            return results.ended(self._tab, self._log, await self._converse(seat.cli))
        except _Stopped:
            await ending.interrupted(seat.cli, seat.lane)
            return self._failed(*(self._stopped or (outcomes.CANCELLED, "")))
        except Surplus as surplus:
            return self._failed(results.CLI_UNFIT, f"{surplus}. Nothing was sent."[:1000])
        except (CliGone, TaskUnfit) as gone:
            return self._failed(outcomes.CLI_ERROR, f"The CLI failed: {str(gone)[:1000]}")
        finally:
            for task in self._judging:
                task.cancel()  # nobody's decision is waited for any more
            seat.lane.cut()
            if seat.line:
                await seat.line.cut()

    def _restore(self, room: Room) -> None:
        sessions.restore(self.spec.session_dir, room)

    def _keep(self, room: Room, outcome: Outcome, delivered: dict[str, str]) -> Outcome:
        """Keep the conversation and the files that are to outlive the task."""
        sessions.keep(self.spec.session_dir, room, self._session_id)
        if self.spec.artifacts_dir is None:
            return outcome
        found = inside.collect(room.workspace, self.spec.artifacts_dir, delivered, self._bounds.caps)
        return replace(
            outcome,
            artifacts=tuple(found.kept),
            artifacts_skipped=tuple(found.skipped),
            artifacts_skipped_count=found.skipped_count,
        )

    async def _converse(self, cli: CliProcess) -> TaskResult:
        """Start the conversation and relay it until the CLI calls it over."""
        try:
            reply = await cli.control("initialize", START_SECONDS, **launch.initialize(self.spec))
        except TimeoutError as error:
            raise TaskUnfit("it did not start in time") from error
        if self._stopped:
            raise _Stopped
        if reply.error is not None:
            raise TaskUnfit(f"it would not start: {reply.error}")
        if not reply.response.get("hook_on_failure_supported"):
            raise TaskUnfit("a hook that fails does not block a call in this version")
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
                if found := gate.surplus(frame, self.spec, self._version):
                    raise Surplus(f"The CLI has more than was granted, or is another one: {', '.join(found)}")
                self._session_id = frame.session_id
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
                self._spawn(self._judge(cli, frame), self._judging)
            case Returned():
                await self._returned(frame)

    async def _judge(self, cli: CliProcess, asked: HookAsk) -> None:
        reason = gate.denial(asked, self.spec)
        if reason is None and self.approvals.needed(asked):
            reason = await self.approvals.wait(asked)
        if reason is not None:
            self._log.reasons[asked.tool_use_id] = reason
        with contextlib.suppress(CliGone):
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
        """Check the deadlines, and again when the nearer one would pass. While a person is waited for, time stands."""
        now = time.monotonic()
        deadline = self._deadline + self.approvals.waited_seconds
        idle_deadline = self._tab.last_heard + self.spec.idle_seconds if self._is_models_turn() else deadline
        nearer = min(deadline, idle_deadline)
        if now >= nearer:
            self._stop(outcomes.TIMEOUT, "The job ran out of time: not done, or no further output, within its limits.")
            return
        if self._watch:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_later(min(nearer - now + 0.001, 1.0), self._look)

    def _is_models_turn(self) -> bool:
        """Whether silence is the model's: a tool that works for minutes, or waits for a person, is not silent."""
        return self._cli is not None and (bool(self._tab.reserved) or not self._log.pending)

    def _over(self, message: str) -> None:
        self._stop(results.RESOURCE_LIMIT, message)

    def _connected(self, connection: Connection) -> None:
        """Something in the jail has used, or tried to use, the network."""
        self._log.connected(connection)
        self._spawn(self._emit(connection), self._background)

    def _checkpoint(self, metered: Metered) -> None:
        self._spawn(self._emit(metered), self._background)

    @staticmethod
    def _spawn(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
