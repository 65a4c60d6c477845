"""One real engine with the real CLI for all tests here, against a scripted model in this process."""

import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from apps.claude.credential import Credential
from apps.claude.engine import Engine, EngineConfig
from apps.claude.scripted.server import ScriptedModel, ScriptedThread
from apps.claude.spec import Event, Metered, Outcome, RunSpec, Text, Turn

SECRET = "sk-ant-dummy-credential-of-the-tests"
SONNET = "claude-sonnet-5-5"


def turns(*texts: str) -> tuple[Turn, ...]:
    """A conversation of texts, the user's first."""
    roles = ("user", "assistant")
    return tuple(Turn(roles[n % 2], ({"type": "text", "text": text},)) for n, text in enumerate(texts))  # type: ignore[arg-type]


def spec(*texts: str, **changes: Any) -> RunSpec:
    """A run that asks the last text after the others, on project alpha unless told otherwise."""
    base = RunSpec(
        job_id=uuid.uuid4().hex,
        project="alpha",
        model=SONNET,
        system="",
        turns=turns(*texts),
        max_tokens=None,
        stop=(),
        temperature=None,
        top_p=None,
        cap_microusd=1_000_000,
        wall_seconds=90.0,
        idle_seconds=60.0,
    )
    return replace(base, **changes)


@dataclass
class Asked:
    """A run under way: its events so far and, once `done`, its outcome."""

    events: list[Event] = field(default_factory=list)
    future: "Future[Outcome] | None" = None

    def done(self) -> Outcome:
        """Wait for the outcome."""
        assert self.future is not None
        return self.future.result(150)

    @property
    def text(self) -> str:
        """What was streamed so far."""
        return "".join(event.text for event in list(self.events) if isinstance(event, Text))

    @property
    def checkpoints(self) -> list[Metered]:
        """The calls as they were put on record while they ran."""
        return [event for event in list(self.events) if isinstance(event, Metered)]


def begin(engine: Engine, run: RunSpec, on_event: Callable[[Event], None] | None = None) -> Asked:
    """Start a run and come back at once."""
    asked = Asked()

    async def emit(event: Event) -> None:
        asked.events.append(event)
        if on_event:
            on_event(event)

    asked.future = asyncio.run_coroutine_threadsafe(engine.run(run, emit), engine.loop)
    return asked


def ask(engine: Engine, *texts: str, **changes: Any) -> Outcome:
    """Run a conversation to its end."""
    return begin(engine, spec(*texts, **changes)).done()


@contextmanager
def running_engine(model: ScriptedModel, **changes: Any) -> Iterator[Engine]:
    """An engine of one's own."""
    config = EngineConfig(
        credential=Credential("api_key", SECRET),
        upstream=model.url,
        slots=3,
        task_spares=1,
        cache_dir=Path(tempfile.gettempdir()) / "ccs-test-cli",
    )
    engine = Engine(replace(config, **changes))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(0)


@pytest.fixture(scope="session")
def model() -> Iterator[ScriptedModel]:
    """The scripted model; its journal holds every request that went upstream."""
    with ScriptedThread(ScriptedModel(log_limit=20_000)) as scripted:
        yield scripted


@pytest.fixture(scope="session")
def engine(model: ScriptedModel) -> Iterator[Engine]:
    """The engine that most tests share, so that its processes are used over and over."""
    with running_engine(model) as shared:
        yield shared


@pytest.fixture
def marker() -> str:
    """A word that no other test uses, to find this test's requests in the journal."""
    return f"marker-{uuid.uuid4().hex[:12]}"


def requests(model: ScriptedModel, marker: str) -> list[dict[str, Any]]:
    """The bodies of the upstream requests that hold the marker, oldest first."""
    return [entry["body"] for entry in model.journal.entries(marker) if isinstance(entry["body"], dict)]


def without_marks(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same messages without what the prompt cache goes by."""
    copy: list[dict[str, Any]] = json.loads(json.dumps(messages))
    for message in copy:
        for block in message["content"]:
            block.pop("cache_control", None)
    return copy


def eventually(holds: Callable[[], bool], within_seconds: float = 60.0) -> None:
    """Wait until it holds; fail if it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.01)
