"""Tasks as tests run them: a spec with sensible rest, its events, its outcome."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import psutil

from apps.claude.engine import Engine
from apps.claude.process import family
from apps.claude.spec import Denied, Event, Outcome, Text, ToolResult, ToolUse
from apps.claude.taskspec import TaskSpec
from tests.claude.conftest import SONNET


def call(name: str, /, **arguments: Any) -> str:
    """The stage direction that makes the scripted model ask for a tool."""
    return f"[[tool: {name} {json.dumps(arguments)}]]"


def bash(command: str) -> str:
    """… for a shell command."""
    return call("Bash", command=command)


def task(*words: str, tools: tuple[str, ...] = ("Bash", "Read"), **changes: Any) -> TaskSpec:
    """A task with this prompt and these tools."""
    fields: dict[str, Any] = {
        "job_id": uuid.uuid4().hex,
        "project": "alpha",
        "model": SONNET,
        "prompt": ({"type": "text", "text": " ".join(words)},),
        "tools": tools,
        "cap_microusd": 1_000_000,
        "wall_seconds": 120.0,
        "idle_seconds": 90.0,
    }
    return TaskSpec(**{**fields, **changes})


@dataclass
class Done:
    """A task that has ended."""

    outcome: Outcome
    events: list[Event] = field(default_factory=list)

    @property
    def calls(self) -> list[ToolUse]:
        """What the model asked for, in its order."""
        return [event for event in self.events if isinstance(event, ToolUse)]

    @property
    def results(self) -> list[ToolResult]:
        """What that came to."""
        return [event for event in self.events if isinstance(event, ToolResult)]

    @property
    def denials(self) -> list[Denied]:
        """What was not let through."""
        return [event for event in self.events if isinstance(event, Denied)]

    @property
    def text(self) -> str:
        """What was streamed."""
        return "".join(event.text for event in self.events if isinstance(event, Text))

    def result_of(self, call_number: int) -> ToolResult:
        """The result of the n-th call."""
        wanted = self.calls[call_number].id
        return next(result for result in self.results if result.id == wanted)


def do(engine: Engine, spec: TaskSpec, on_event: Callable[[Event], None] | None = None) -> Done:
    """Do a task to its end."""
    events: list[Event] = []

    async def emit(event: Event) -> None:
        events.append(event)
        if on_event:
            on_event(event)

    outcome = asyncio.run_coroutine_threadsafe(engine.run(spec, emit), engine.loop).result(180)
    return Done(outcome, events)


def processes(engine: Engine, spec: TaskSpec) -> list[int]:
    """All processes of a running task, seen from outside."""
    cli = engine._runs[spec.job_id]._cli  # type: ignore[union-attr]
    return family(cli.pid) if cli else []


def survivors(pids: Iterable[int]) -> list[int]:
    """Those that are alive; a zombie is not."""
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
