"""A double of the engine for tests of the job path alone. The prompt is a script: `{"tokens": 3, "pause": 0.01}`.

The whole path with the real CLI is tested elsewhere; here the engine must do odd things at exact moments.
"""

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from apps.claude.spec import Call, Event, Metered, Outcome, RunSpec, Started, Text, Usage

MICROUSD_PER_TOKEN = 7


class FakeEngine:
    """Follows the interface of `apps.claude.engine.Engine`."""

    def __init__(self, slots: int = 4) -> None:
        self.slots = slots
        self.loop = asyncio.new_event_loop()
        self.started: list[str] = []
        """Ids of the jobs in the order they began."""
        self._runs: dict[str, asyncio.Event] = {}
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, _drain_seconds: float) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def free(self) -> int:
        return self.slots - len(self._runs)

    def status(self) -> dict[str, object]:
        return {"slots": self.slots, "running": len(self._runs), "pid": os.getpid()}

    def cancel(self, job_id: str) -> bool:
        if run := self._runs.get(job_id):
            self.loop.call_soon_threadsafe(run.set)
        return run is not None

    async def run(self, spec: RunSpec, emit: Callable[[Event], Awaitable[None]]) -> Outcome:
        script = json.loads(str(spec.turns[-1].content[0]["text"]))
        stopped = self._runs[spec.job_id] = asyncio.Event()
        self.started.append(spec.job_id)
        assert len(self._runs) <= self.slots
        try:
            return await self._answer(spec, script, emit, stopped)
        finally:
            del self._runs[spec.job_id]

    async def _answer(
        self,
        spec: RunSpec,
        script: dict[str, Any],
        emit: Callable[[Event], Awaitable[None]],
        stopped: asyncio.Event,
    ) -> Outcome:
        await emit(Started(spec.model))
        said: list[str] = []
        facts: dict[str, Any]
        for number in range(script.get("tokens", 3)):
            if await _waited(stopped, script.get("pause", 0)):
                break
            said.append(script.get("text", f"t{number} "))
            await emit(Text(said[-1]))
            await emit(Metered(metered(spec, len(said), estimated=True)))
        if script.get("hang"):
            await stopped.wait()
        if spec.model in script.get("overloaded", ()):
            call = replace(metered(spec, 0, estimated=False), id=f"call_{spec.model}", status=529)
            facts = {"text": "".join(said), "calls": (call,), "upstream_status": 529}
            return Outcome("failed", error_code="overloaded", error_message="Overloaded", **facts)
        call = metered(spec, len(said), estimated=stopped.is_set())
        facts = {"text": "".join(said), "calls": (call,)}
        if stopped.is_set():
            return Outcome("cancelled", error_code="cancelled", error_message="It was cancelled.", **facts)
        return Outcome("completed", stop_reason="end_turn", **facts)


def metered(spec: RunSpec, tokens: int, *, estimated: bool) -> Call:
    """What the egress would have metered after so many tokens."""
    return Call(
        id=f"call_{spec.job_id}",
        model=spec.model,
        usage=Usage(input_tokens=10, output_tokens=tokens),
        cost_microusd=tokens * MICROUSD_PER_TOKEN,
        priced=True,
        estimated=estimated,
        status=200,
        price_version="test",
        started_at=time.time(),
        duration_seconds=0.1,
        first_token_seconds=0.01,
    )


def build(_runtime_name: str, _workers: int) -> FakeEngine:
    """What the setting JOBS_ENGINE of a test names."""
    return FakeEngine()


def build_none(_runtime_name: str, _workers: int) -> FakeEngine:
    """An engine that cannot be set up."""
    raise FileNotFoundError("there is no CLI on this machine")


async def _waited(stopped: asyncio.Event, seconds: float) -> bool:
    """Whether the run was stopped while it waited."""
    if seconds:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), seconds)
    return stopped.is_set()
