"""What is measured: a cold CLI, a live process asked directly, the whole service; all against one scripted model."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from apps.claude import catalog
from apps.claude.credential import Credential
from apps.claude.engine import Engine, EngineConfig
from apps.claude.spec import Event, RunSpec, Text, Turn
from tests.support.service import Service

MODEL = "claude-sonnet-5-5"


@contextmanager
def scripted_model() -> Iterator[str]:
    """The scripted model in a process of its own; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.claude.scripted", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()


@contextmanager
def service(upstream: str, slots: int, **environ: str) -> Iterator["Target"]:
    """The service as a user starts it, with one key."""
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as directory:
        settings = {"CLAUDE_SLOTS": str(slots), "WORKERS": "0", "LOG_FORMAT": "console", **environ}
        running = Service(Path(directory), upstream=upstream, environ=settings)
        try:
            running.wait_until_ready()
            yield Target(running, running.alice.key)
        finally:
            running.stop()


@dataclass
class Answer:
    """One request as its client saw it; seconds since it was sent."""

    status: int = 0
    first_token: float = 0.0
    total: float = 0.0
    text: str = ""


@dataclass
class Target:
    """The service under load."""

    service: Service
    key: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"authorization": f"Bearer {self.key}"}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client with as many connections as it likes."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(
            self.service.url, headers=self.headers, connector=connector, timeout=timeout
        ) as one:
            yield one

    async def chat(self, session: aiohttp.ClientSession, *texts: str, stream: bool, system: str = "") -> Answer:
        """Ask a conversation; the first text is the user's."""
        roles = ("user", "assistant")
        messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        body = {"model": "sonnet", "messages": messages, "stream": stream}
        answer, began = Answer(), time.perf_counter()
        async with session.post("/v1/chat/completions", json=body) as response:
            answer.status = response.status
            if not stream:
                reply = await response.json()
                answer.text = reply["choices"][0]["message"]["content"] if response.status == 200 else str(reply)
            else:
                await self._read(response, answer, began)
        answer.total = time.perf_counter() - began
        return answer

    async def _read(self, response: aiohttp.ClientResponse, answer: Answer, began: float) -> None:
        pieces = []
        async for line in response.content:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:]).get("choices") or [{}]
                text = choices[0].get("delta", {}).get("content")
                if text:
                    answer.first_token = answer.first_token or time.perf_counter() - began
                    pieces.append(text)
        answer.text = "".join(pieces)

    def cpu_seconds(self) -> float:
        """User and system time of every living process of the service, and of those that ended below them."""
        total = 0.0
        for process in self.service.processes():
            try:
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
            except psutil.Error:
                continue
        return total

    def memory(self) -> dict[str, int]:
        """Proportional bytes by kind of process: shared pages are counted once."""
        kinds: dict[str, int] = {}
        for process in self.service.processes():
            try:
                line = " ".join(process.cmdline())
                kind = next((name for word, name in _KINDS if word in line), "other")
                kinds[kind] = kinds.get(kind, 0) + process.memory_full_info().pss
            except psutil.Error:
                continue
        return kinds


_KINDS = (
    ("bwrap", "jails"),
    ("/claude", "live CLI processes"),
    ("valkey", "Valkey"),
    ("redis-server", "Valkey"),
    ("run_web", "web server"),
    ("qcluster", "workers"),
    ("run_workers", "workers"),
    ("serve", "supervisor"),
)


def cold_cli(upstream: str) -> float:
    """Seconds from the start of a fresh `claude -p` to its first token."""
    home = tempfile.mkdtemp(prefix="ccs-cold-")
    environ = {"PATH": os.environ["PATH"], "HOME": home, "ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "dummy"}
    # Without this it looks for hosts that a closed network does not answer, which would flatter us.
    environ |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    flags = "--output-format stream-json --verbose --include-partial-messages --model sonnet"
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(catalog.locate_cli(None)), "-p", "hello", *flags.split(), "--tools", ""],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if b'"text_delta"' in line:
                return time.perf_counter() - began
        raise RuntimeError("the cold CLI gave no answer")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def direct_engine(upstream: str) -> Iterator["Direct"]:
    """A live process without any service around it."""
    engine = Engine(EngineConfig(credential=Credential("api_key", "dummy"), upstream=upstream, slots=1))
    engine.start()
    try:
        yield Direct(engine)
    finally:
        engine.stop(0)


@dataclass
class Direct:
    """Asks one live process."""

    engine: Engine

    def first_token(self, text: str = "hello") -> float:
        """Seconds from the question to the first token."""
        turns = (Turn("user", ({"type": "text", "text": text},)),)
        spec = RunSpec(uuid.uuid4().hex, "bench", MODEL, "", turns, None, (), None, None, 1_000_000, 60.0, 60.0)
        first: list[float] = []
        began = time.perf_counter()

        async def emit(event: Event) -> None:
            if isinstance(event, Text) and not first:
                first.append(time.perf_counter() - began)

        asyncio.run_coroutine_threadsafe(self.engine.run(spec, emit), self.engine.loop).result(60)
        return first[0]
