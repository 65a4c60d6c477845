"""The engine: one event loop in one thread for the life of a worker. Chats share live CLIs, a task has its own."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.claude import catalog
from apps.claude import jail as walls
from apps.claude.chat import ChatRun
from apps.claude.credential import DEFAULT_UPSTREAM, Credential
from apps.claude.egress import Egress
from apps.claude.live import LiveProcess, RewindMissing, Workshop
from apps.claude.network.reach import Reach
from apps.claude.pool import Limits, Pool
from apps.claude.spec import Decision, Event, Outcome, RunSpec
from apps.claude.tasks.run import Bounds, TaskRun
from apps.claude.tasks.seats import Place, Seats
from apps.claude.taskspec import TaskSpec

Emit = Callable[[Event], Coroutine[Any, Any, None]]

_SLOT_BYTES = 300 << 20
"""What one live process may come to weigh; the default number of slots is what the free memory carries of these."""
_MAX_DEFAULT_SLOTS = 64
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How an engine is set up. Nothing of it reaches a jail."""

    runtime_dir: Path | None = None
    """Sockets and lanes, gone with the engine. None for one under the system's temporary directory: the path must be
    short, since a unix socket's may have 107 bytes, and open to the jail's uid, which a private directory is not."""
    cli_path: str | None = None
    tested_version: str = catalog.TESTED_CLI_VERSION
    """The version of the CLI that tasks are run with; with another one they are refused."""
    credential: Credential | None = None
    upstream: str = DEFAULT_UPSTREAM
    slots: int = 0
    """Chats at once; 0 for what the memory carries."""
    model: str = "claude-sonnet-5-5"
    """What spares are started with."""
    cache_dir: Path = Path("/var/cache/claude-code-api-service")
    rewind: bool = True
    """False makes every process serve one question only, as with a CLI that cannot rewind."""
    task_bounds: Bounds = field(default_factory=Bounds)
    """What one task may take of the machine."""
    reach: Reach = field(default_factory=Reach)
    """Where tasks may connect to."""
    task_spares: int = 2
    """Prepared jails for tasks like the last ones."""


def slots_by_memory() -> int:
    """How many live processes the free memory carries, leaving a quarter of it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 4
    return max(2, min(_MAX_DEFAULT_SLOTS, free * 3 // 4 // _SLOT_BYTES))


class Engine:
    """Thread-safe outside: start, stop, free, cancel, status. `run` belongs to `loop`."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._runtime_dir = config.runtime_dir or temporary_runtime_dir()
        self.slots = config.slots or slots_by_memory()
        self.loop = asyncio.new_event_loop()
        self.cli: Path | None = None
        self.jail: walls.Jail | None = None
        self.jail_fault: str | None = None
        self._rewind = config.rewind
        self._cli_version: str | None = None
        """Told by the first process that starts."""
        self._runs: dict[str, ChatRun | TaskRun] = {}
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._egress = Egress(upstream=config.upstream, credential=config.credential)
        self._pool: Pool | None = None
        self._seats: Seats | None = None

    def start(self) -> None:
        """Find the CLI, probe the jail and begin. Raises catalog.CliMissing."""
        config = self._config
        self.cli = catalog.locate_cli(config.cli_path)
        self.cli, self.jail, self.jail_fault = find_walls(self.cli, self._runtime_dir, config.cache_dir)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()

    def stop(self, drain_seconds: float) -> None:
        """Let running chats end for so long, cancel the rest, end every process."""
        if not self._thread.is_alive():
            return
        deadline = time.monotonic() + drain_seconds
        while self._runs and time.monotonic() < deadline:
            time.sleep(0.05)
        for job_id in list(self._runs):
            self.cancel(job_id)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._runs and time.monotonic() < deadline:
            time.sleep(0.02)
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(_STOP_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_STOP_SECONDS)
        shutil.rmtree(self._runtime_dir, ignore_errors=True)

    def free(self) -> int:
        """Slots that no run holds."""
        return self.slots - len(self._runs)

    async def run(self, spec: RunSpec | TaskSpec, emit: Emit) -> Outcome:
        """Answer one chat, or do one task. Failures are in the outcome, never raised."""
        assert self._pool is not None
        assert self._seats is not None
        run = ChatRun(spec, emit) if isinstance(spec, RunSpec) else TaskRun(spec, emit, self._config.task_bounds)
        self._runs[spec.job_id] = run
        try:
            return await (run.answer(self._pool) if isinstance(run, ChatRun) else run.answer(self._seats))
        finally:
            self._runs.pop(spec.job_id, None)

    def cancel(self, job_id: str) -> bool:
        """Stop a run; its `run` returns with status cancelled. False where there is no such run."""
        run = self._runs.get(job_id)
        if run is None:
            return False
        self.loop.call_soon_threadsafe(run.cancel)
        return True

    def decide(self, job_id: str, call_id: str, decision: Decision, by: str) -> bool:
        """Tell a task what somebody decided about a call that waits. False where nothing waits for it (any more)."""
        run = self._runs.get(job_id)
        if not isinstance(run, TaskRun) or not run.approvals.is_waiting(call_id):
            return False
        self.loop.call_soon_threadsafe(run.approvals.decide, call_id, decision, by)
        return True

    def status(self) -> dict[str, object]:
        """What `/ready` and an operator want to know."""
        processes = self._pool.processes() if self._pool else ()
        return {
            "slots": self.slots,
            "running": len(self._runs),
            "processes": len(processes),
            "memory_bytes": sum(process.cli.memory_bytes() for process in processes),
            "waiting": self._pool.waiting if self._pool else 0,
            "jail": self.jail is not None,
            "jail_fault": self.jail_fault,
            "tasks_fault": self._seats.fault if self._seats else self.jail_fault,
            "network_fault": self._seats.network_broken if self._seats else None,
            "rewind": self._rewind,
            "cli_version": self._cli_version,
            "fault": self._pool.last_fault if self._pool else None,
        }

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _open(self) -> None:
        await self._egress.start()
        self._pool = Pool(self._start_process, Limits(self.slots))
        self._pool.start()
        assert self.cli is not None
        config = self._config
        place = Place(
            cli=self.cli,
            jail=self.jail,
            jail_fault=self.jail_fault,
            egress=self._egress,
            runtime_dir=self._runtime_dir,
            cache_dir=config.cache_dir,
            tested_version=config.tested_version,
            reach=config.reach,
        )
        self._seats = Seats(place, config.task_bounds.limits, config.task_spares)

    async def _close(self) -> None:
        if self._seats:
            await self._seats.close()
        if self._pool:
            await self._pool.close()
        await self._egress.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()  # such as the readers of a process whose start was interrupted
        if left:
            await asyncio.wait(left, timeout=1)

    async def _start_process(self) -> LiveProcess:
        assert self.cli is not None
        workshop = Workshop(self.cli, self.jail, self._egress, self._runtime_dir)
        try:
            process = await LiveProcess.start(workshop, self._config.model, rewind=self._rewind)
        except RewindMissing:
            self._rewind = False  # from here on every process serves one question
            process = await LiveProcess.start(workshop, self._config.model, rewind=False)
        self._cli_version = process.cli_version
        return process


def temporary_runtime_dir() -> Path:
    """A new directory with a short path that every uid may pass through and only we may list."""
    path = Path(tempfile.mkdtemp(prefix="ccs-"))
    path.chmod(0o711)
    return path


def find_walls(cli: Path, runtime_dir: Path, cache_dir: Path) -> tuple[Path, walls.Jail | None, str | None]:
    """The CLI where the jail can reach it, the jail, and why there is none if there is none."""
    scratch = runtime_dir / f"probe-{os.getpid()}"
    scratch.mkdir(parents=True, exist_ok=True)
    scratch.chmod(0o755)
    try:
        reachable = walls.reachable_cli(cli, cache_dir)
        return reachable, walls.probe(reachable, scratch), None
    except (walls.JailBroken, OSError) as error:
        return cli, None, str(error)
    finally:
        with contextlib.suppress(OSError):
            scratch.rmdir()
