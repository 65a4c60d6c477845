"""A double of the engine for tests of the job path alone. The prompt is a script: `{"tokens": 3, "pause": 0.01}`.

A task's is one too: `{"tools": ["Read"], "denied": "Bash", "ask": "Bash", "leave": {"a.txt": "text"}, "hang": true}`.

The whole path with the real CLI is tested elsewhere; here the engine must do odd things at exact moments.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from apps.claude.leftovers import Artifact
from apps.claude.spec import (
    ApprovalAsked,
    ApprovalDecided,
    Call,
    Denied,
    Event,
    Metered,
    Outcome,
    RunSpec,
    Started,
    Text,
    ToolResult,
    ToolUse,
    Usage,
)
from apps.claude.taskspec import TaskSpec

MICROUSD_PER_TOKEN = 7


class FakeEngine:
    """Follows the interface of `apps.claude.engine.Engine`."""

    def __init__(self, slots: int = 4) -> None:
        self.slots = slots
        self.loop = asyncio.new_event_loop()
        self.started: list[str] = []
        """Ids of the jobs in the order they began."""
        self.tasks: list[TaskSpec] = []
        """What was asked of it in tasks."""
        self._runs: dict[str, asyncio.Event] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[tuple[str, str]]] = {}
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

    def decide(self, job_id: str, call_id: str, decision: str, by: str) -> bool:
        if waiting := self._waiting.get((job_id, call_id)):
            self.loop.call_soon_threadsafe(_settle, waiting, (decision, by))
        return waiting is not None

    async def run(self, spec: RunSpec | TaskSpec, emit: Callable[[Event], Awaitable[None]]) -> Outcome:
        prompt = spec.turns[-1].content if isinstance(spec, RunSpec) else spec.prompt
        script = json.loads(str(prompt[0]["text"]))
        stopped = self._runs[spec.job_id] = asyncio.Event()
        self.started.append(spec.job_id)
        assert len(self._runs) <= self.slots
        try:
            if isinstance(spec, TaskSpec):
                self.tasks.append(spec)
                return await self._do(spec, script, emit, stopped)
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

    async def _do(
        self,
        spec: TaskSpec,
        script: dict[str, Any],
        emit: Callable[[Event], Awaitable[None]],
        stopped: asyncio.Event,
    ) -> Outcome:
        await emit(Started(spec.model))
        for number, tool in enumerate(script.get("tools", ())):
            await emit(ToolUse(f"call_{number}", tool, {"file_path": "secret.txt"}))
            await emit(ToolResult(f"call_{number}", "what it said"))
        denials = []
        if tool := script.get("denied"):
            await emit(ToolUse("call_denied", tool, {"command": "id"}))
            denials = [Denied("call_denied", tool, {"command": "id"}, "It was not granted.")]
            await emit(denials[0])
            await emit(ToolResult("call_denied", "It was not granted.", is_error=True))
        said = await self._asked(spec, script["ask"], emit) if "ask" in script else "done"
        if script.get("hang"):
            await stopped.wait()
        facts: dict[str, Any] = {"text": said, "calls": (metered(spec, 5, estimated=False),), "num_turns": 3}
        if stopped.is_set():
            return Outcome("cancelled", error_code="cancelled", error_message="It was cancelled.", **facts)
        return Outcome(
            "completed",
            stop_reason="end_turn",
            tools_used=tuple(dict.fromkeys(script.get("tools", ()))),
            denials=tuple(denials),
            artifacts=tuple(_leave(spec, name, text) for name, text in script.get("leave", {}).items()),
            attribution={"agent:reviewer": 21},
            structured_output=script.get("structured"),
            **facts,
        )

    async def _asked(self, spec: TaskSpec, tool: str, emit: Callable[[Event], Awaitable[None]]) -> str:
        """Wait for a decision, as long as the task says; what it was."""
        waiting = self._waiting[spec.job_id, "call_ask"] = self.loop.create_future()
        await emit(ToolUse("call_ask", tool, {"command": "make"}))
        await emit(ApprovalAsked("call_ask", tool, {"command": "make"}, time.time() + spec.approval_seconds))
        try:
            decision, by = await asyncio.wait_for(waiting, spec.approval_seconds)
        except TimeoutError:
            decision, by = "deny", "expiry"
        await emit(ApprovalDecided("call_ask", decision, by))
        return f"{decision} by {by}"


def _settle(waiting: "asyncio.Future[tuple[str, str]]", decision: tuple[str, str]) -> None:
    if not waiting.done():
        waiting.set_result(decision)


def _leave(spec: TaskSpec, name: str, text: str) -> Artifact:
    assert spec.artifacts_dir
    path = spec.artifacts_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Artifact(name, len(text), "text/plain", hashlib.sha256(text.encode()).hexdigest())


def metered(spec: RunSpec | TaskSpec, tokens: int, *, estimated: bool) -> Call:
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
