"""One chat run on a live process: ask, relay the answer, end in time, leave the process empty."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from apps.claude import compose, contract, outcomes
from apps.claude.answer import Answer
from apps.claude.live import CliUnfit, LiveProcess
from apps.claude.pool import Pool
from apps.claude.process import CliGone
from apps.claude.protocol import AnswerStop, Nudge, Piece, Result
from apps.claude.spec import Event, Metered, Outcome, RunSpec, Started, Text, Thinking
from apps.claude.tab import Tab

_RESULT_SECONDS = 0.5
"""How long the CLI may take to say what it reckons the turn cost, once the answer is complete."""
_LAST_STOPS = frozenset({"end_turn", "stop_sequence"})
"""After any other stop the CLI asks on by itself, which the egress refuses: nothing worth waiting for."""
_ATTEMPTS = 2
"""A process that fails before anything was sent upstream costs the client nothing but this one retry."""


class _Stopped(Exception):
    """The run must end: cancelled, or out of time."""


class ChatRun:
    """A run from its slot to its outcome. Belongs to the engine's loop."""

    def __init__(self, spec: RunSpec, emit: Callable[[Event], Awaitable[None]]) -> None:
        self.spec = spec
        self._emit = emit
        self._stop_code: str | None = None
        self._process: LiveProcess | None = None
        self._acquiring: asyncio.Task[LiveProcess] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._tab = Tab(spec, self._checkpoint)
        self._answer = Answer()
        self._held: list[Event] | None = [] if contract.held(spec) else None
        """What was not told yet, while it is open whether the answer will do."""
        self._background: set[asyncio.Future[Any]] = set()
        self._deadline = time.monotonic() + spec.wall_seconds

    def cancel(self) -> None:
        """Stop spending now; `answer` returns with status cancelled."""
        self._stop("cancelled")

    async def answer(self, pool: Pool) -> Outcome:
        """Run it. Every failure is in the outcome."""
        self._look()
        try:
            outcome = await self._answered(pool)
            if contract.binds(self.spec):
                outcome = await self._judged(outcome, pool)
            return outcome
        finally:
            if self._watch:
                self._watch.cancel()
            if self._background:
                await asyncio.wait(self._background)

    async def _answered(self, pool: Pool) -> Outcome:
        outcome = await self._attempt(pool)
        for _ in range(_ATTEMPTS - 1):
            untouched = not self._tab.meters and not self._answer.begun
            if outcome.error_code != outcomes.CLI_ERROR or not untouched:
                break
            self._tab = Tab(self.spec, self._checkpoint, self._tab.earlier)
            outcome = await self._attempt(pool)
        return outcome

    async def _judged(self, outcome: Outcome, pool: Pool) -> Outcome:
        """The outcome held against what was asked for; asked once more where nobody has been told of the answer yet."""
        verdict = await _verdict(self.spec, outcome)
        if isinstance(verdict, contract.Broken) and self._held is not None:
            again = contract.repair(self.spec, outcome, verdict.reason)
            self.spec, self._answer, self._held = again, Answer(), []
            self._tab = Tab(again, self._checkpoint, outcome.calls)
            outcome = outcomes.again(outcome, await self._answered(pool))
            verdict = await _verdict(self.spec, outcome)
        if isinstance(verdict, contract.Broken):
            return outcomes.broken(outcome, verdict.reason)
        if isinstance(verdict, contract.Kept):
            outcome = outcomes.kept(outcome, verdict.value, verdict.text)
        await self._tell_held(outcome.text)
        return outcome

    async def _tell(self, event: Event) -> None:
        """Emit an event of the answer, or keep it while it is open whether the answer will do."""
        if self._held is None or isinstance(event, Thinking):
            await self._emit(event)
            return
        self._held.append(event)
        if contract.settles(event, self.spec):
            await self._tell_held(self._answer.text)

    async def _tell_held(self, text: str) -> None:
        """Emit what was held back: the text as it is now, and the rest as it came."""
        held, self._held = self._held or [], None
        if text and any(isinstance(event, Text) for event in held):
            await self._emit(Text(text))
        for event in held:
            if not isinstance(event, Text):
                await self._emit(event)

    async def _attempt(self, pool: Pool) -> Outcome:
        try:
            process = await self._acquire(pool)
        except _Stopped:
            return outcomes.stopped(self._stop_code, self._tab, self._answer)
        except CliUnfit as unfit:
            return outcomes.cli_failed(str(unfit), self._tab, self._answer)
        self._process = process
        try:
            await self._prepare(process)
            before_usd = process.cost_usd
            stop = await self._relay(process)
            result = await self._result(process, stop)
            outcome = outcomes.ended(self._tab, stop, result, self._answer, before_usd)
        except _Stopped:
            process.lane.cut()
            outcome = outcomes.stopped(self._stop_code, self._tab, self._answer)
        except (CliGone, CliUnfit) as gone:
            process.lane.cut()
            outcome = outcomes.cli_failed(str(gone), self._tab, self._answer)
        finally:
            self._process = None
        pool.keep_busy(_clear(pool, process, self._tab))
        return outcome

    async def _acquire(self, pool: Pool) -> LiveProcess:
        self._acquiring = asyncio.ensure_future(pool.acquire(self.spec.project, self.spec.model))
        if self._stop_code:
            self._acquiring.cancel()
        try:
            return await self._acquiring
        except asyncio.CancelledError:
            if self._stop_code is None:
                raise
            raise _Stopped from None
        finally:
            self._acquiring = None

    async def _prepare(self, process: LiveProcess) -> None:
        """Set the model, before the run's money is within reach: the CLI may check a model with a call of its own."""
        try:
            await process.use_model(self.spec.model)
        except TimeoutError as error:
            raise CliUnfit("the CLI does not answer") from error
        if self._stop_code:
            raise _Stopped
        process.lane.tab = self._tab
        process.ask(compose.shown(self.spec))
        await self._emit(Started(self.spec.model))

    async def _relay(self, process: LiveProcess) -> AnswerStop | Result:
        """Pass the answer on until the model stops, or the CLI ends without an answer."""
        while True:
            frame = await process.cli.frame()
            if self._stop_code:
                raise _Stopped
            self._tab.last_heard = time.monotonic()
            match frame:
                case AnswerStop():
                    return frame
                case Result():
                    process.heard(frame)
                    return frame
            if isinstance(frame, Piece) and (event := self._answer.hear(frame)):
                await self._tell(event)

    async def _result(self, process: LiveProcess, stop: AnswerStop | Result) -> Result | None:
        """The CLI's own account of the turn, if it comes soon."""
        if isinstance(stop, Result):
            return stop
        if stop.stop_reason not in _LAST_STOPS:
            return None
        try:
            return await asyncio.wait_for(process.result(), _RESULT_SECONDS)
        except (TimeoutError, CliGone):
            return None

    def _stop(self, code: str) -> None:
        if self._stop_code:
            return
        self._stop_code = code
        if self._process:
            self._process.lane.cut()
            self._process.cli.nudge(Nudge())
        if self._acquiring:
            self._acquiring.cancel()

    def _look(self) -> None:
        """Check both deadlines, and again when the nearer one would pass."""
        now = time.monotonic()
        idle_deadline = self._tab.last_heard + self.spec.idle_seconds if self._process else self._deadline
        nearer = min(self._deadline, idle_deadline)
        if now >= nearer:
            self._stop(outcomes.TIMEOUT)
            return
        if self._watch:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_later(min(nearer - now + 0.001, 1.0), self._look)

    def _checkpoint(self, metered: Metered) -> None:
        task = asyncio.ensure_future(self._emit(metered))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _verdict(spec: RunSpec, outcome: Outcome) -> contract.Kept | contract.Broken | None:
    """Judged outside the loop, for a client's schema can take its time; None for a run that did not complete."""
    return await asyncio.to_thread(contract.judge, spec, outcome) if outcome.status == "completed" else None


def _clear(pool: Pool, process: LiveProcess, tab: Tab) -> Coroutine[Any, Any, None]:
    """Empty the process and give it back, or end it where that fails."""

    async def clear() -> None:
        try:
            reusable = tab.mismatch is None and process.rewinds and await process.rewind()
        except (CliGone, TimeoutError):
            reusable = False
        tab.closed = True
        process.lane.tab = None
        if reusable:
            pool.release(process, sum(call.duration_seconds for call in tab.calls()))
        else:
            pool.discard(process)

    return clear()
