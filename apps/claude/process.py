"""One running CLI: its pipes, its frames, its end."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.claude import protocol
from apps.claude.jail import arguments_fd
from apps.claude.launch import Launch
from apps.claude.protocol import ControlAsk, ControlReply, Frame, Nudge

LINE_LIMIT = 32 << 20
_STDERR_LINES = 40

Parser = Callable[[bytes], tuple[Frame, ...]]
"""One line of the CLI's stdout as frames."""


def _chat_frames(line: bytes) -> tuple[Frame, ...]:
    frame = protocol.parse(line)
    return () if frame is None else (frame,)


class CliGone(Exception):
    """The CLI ended; the message is the last thing it said on stderr."""


class CliProcess:
    """A CLI that speaks stream-json. All methods belong to the event loop that spawned it."""

    def __init__(self, process: asyncio.subprocess.Process, parse: Parser = _chat_frames) -> None:
        self._process = process
        self._parse = parse
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._replies: dict[str, asyncio.Future[ControlReply]] = {}
        self._requests = 0
        self._stderr: deque[bytes] = deque(maxlen=_STDERR_LINES)
        self._gone = False
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._drain_stderr())]

    @classmethod
    async def spawn(cls, launch: Launch, parse: Parser = _chat_frames) -> "CliProcess":
        """Start the command. The thread that calls this must live as long as the process: jails die with it."""
        argv, fd = list(launch.argv), None
        if launch.jail is not None and launch.jail_arguments is not None:
            fd = arguments_fd(list(launch.jail_arguments))
            argv = [*launch.jail.prefix(fd, launch.uid), *argv]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=launch.environment,
                cwd=launch.cwd,
                limit=LINE_LIMIT,
                start_new_session=True,
                pass_fds=() if fd is None else (fd,),
            )
        finally:
            if fd is not None:
                os.close(fd)
        return cls(process, parse)

    @property
    def pid(self) -> int:
        """The pid outside the jail: bubblewrap's, where there is a jail."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be spoken to."""
        return not self._gone and self._process.returncode is None

    def last_words(self) -> str:
        """The end of its stderr."""
        return b"".join(self._stderr).decode(errors="replace").strip()[-2000:]

    def send(self, line: bytes) -> None:
        """Queue one line for its stdin. Raises CliGone."""
        if not self.alive or self._process.stdin is None:
            raise CliGone(self.last_words())
        self._process.stdin.write(line)

    async def control(self, subtype: str, timeout_seconds: float, **fields: Any) -> ControlReply:
        """Ask the CLI something and wait for its answer. Raises CliGone or TimeoutError."""
        self._requests += 1
        request_id = f"r{self._requests}"
        reply: asyncio.Future[ControlReply] = asyncio.get_running_loop().create_future()
        self._replies[request_id] = reply
        try:
            self.send(protocol.control_request(request_id, subtype, **fields))
            return await asyncio.wait_for(reply, timeout_seconds)
        finally:
            self._replies.pop(request_id, None)

    async def frame(self) -> Frame:
        """The next frame. Raises CliGone after the last one."""
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)
            raise CliGone(self.last_words() or f"exit status {self._process.returncode}")
        return frame

    def nudge(self, nudge: Nudge) -> None:
        """Wake whoever waits for a frame."""
        self._frames.put_nowait(nudge)

    def memory_bytes(self) -> int:
        """Resident bytes of the CLI and everything around it; 0 when it is gone."""
        return sum(_resident_bytes(pid) for pid in family(self.pid))

    def kill(self) -> None:
        """End it now, with everything it started. Safe to call twice."""
        self._gone = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def aclose(self) -> None:
        """End it and wait until it is gone."""
        self.kill()
        try:
            await self._process.wait()
        finally:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Closed by hand, because a loop that ends first leaves the pipes to the garbage collector.
        self._process._transport.close()  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := await stdout.readline():
                for frame in self._parse(line):
                    self._take(frame)
        except (ValueError, CliGone, ConnectionError):
            self.kill()  # a line above the limit, or a pipe that broke: nothing after it can be trusted
        finally:
            self._gone = True
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(CliGone(self.last_words()))
            self._frames.put_nowait(None)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, ControlReply):
            reply = self._replies.get(frame.request_id)
            if reply and not reply.done():
                reply.set_result(frame)
        elif isinstance(frame, ControlAsk):
            self.send(protocol.control_refusal(frame.request_id))
        else:
            self._frames.put_nowait(frame)

    async def _drain_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with contextlib.suppress(ValueError):
            while line := await stderr.readline():
                self._stderr.append(line[:4096])


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    pids, queue = [], [pid]
    while queue:
        parent = queue.pop()
        pids.append(parent)
        with contextlib.suppress(OSError):
            queue += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return pids


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
