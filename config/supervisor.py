"""Keeps child processes running until it is told to stop them."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from config.env import Misconfigured
from config.processes import kill_session, send, spawn

STEADY_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One child as it should run. `stop_seconds`: how long it may take to end after SIGTERM."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    stop_seconds: float
    pass_fds: tuple[int, ...] = ()
    log: Path | None = None  # of its standard output; None: ours


class Child:
    """Runs a program and starts it again when it ends by itself, more slowly each time that it ends early."""

    def __init__(self, program: Program, say: Callable[[str], None]) -> None:
        self.program = program
        self._say = say
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Returns once the process exists. Raises Misconfigured when the program cannot be started at all."""
        await self._spawn()

    def keep(self) -> None:
        """From now on it is started again when it ends; before, an early end is for the caller to see."""
        self._keeper = asyncio.create_task(self._keep())

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """SIGTERM, and after `stop_seconds` SIGKILL; returns when the process is gone."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
        if self._process is None:
            return
        send(self._process, SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), self.program.stop_seconds)
        except TimeoutError:
            self._say(f"{self.program.name} did not stop within {self.program.stop_seconds:.0f} s and is killed")
        finally:
            self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """SIGKILL at once, to whatever of it is left."""
        self._stopping = True
        if self._process is not None:
            kill_session(self._process)

    async def _spawn(self) -> None:
        program = self.program
        try:
            if program.log is None:
                self._process = await spawn(program.command, environ=program.environ, pass_fds=program.pass_fds)
            else:
                with program.log.open("wb") as output:
                    self._process = await spawn(
                        program.command, environ=program.environ, pass_fds=program.pass_fds, output=output
                    )
        except OSError as error:
            raise Misconfigured(f"{program.name} cannot be started ({program.command[0]}): {error.strerror}") from None

    async def _keep(self) -> None:
        pause = 0.2
        while self._process is not None:
            started = time.monotonic()
            status = await self._process.wait()
            if self._stopping:
                return
            pause = 0.2 if time.monotonic() - started > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._say(f"{self.program.name} ended by itself ({_ending(status)}); starting it again in {pause:.1f} s")
            kill_session(self._process)
            await asyncio.sleep(pause)
            try:
                await self._spawn()
            except Misconfigured as error:
                self._say(str(error))


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
