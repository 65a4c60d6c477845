"""Starting programs, and knowing every process that came of them, also those whose parents have gone."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_CHILD_SUBREAPER = 36
_NURSERY = Path(__file__).with_name("nursery.py")


def adopt_orphans() -> None:
    """Become the parent of every orphan among our descendants, so that `descendants` misses none. Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def heed_interrupts() -> None:
    """Let what we start be stopped by SIGINT, even if we were started in the background, where shells switch it off."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Every living process below a pid (ours by default), those in other pid namespaces included."""
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if is_alive(child)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def describe(process: psutil.Process) -> str:
    """A line for a failure message."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:160]}"
    except psutil.Error:
        return f"{process.pid} (gone)"


def assert_gone(processes: Sequence[psutil.Process], *, seconds: float = 10.0) -> None:
    """Fails when one of them still runs after `seconds`."""

    def all_gone() -> bool:
        left = [describe(process) for process in processes if is_alive(process)]
        assert not left, f"still running: {left}"
        return True

    eventually(all_gone, seconds=seconds)


@contextlib.contextmanager
def nothing_survives(*, seconds: float = 10.0) -> Iterator[None]:
    """Fails when a process that came up in the block outlives it by more than `seconds`."""
    before = set(descendants())
    yield

    def nothing_new() -> bool:
        left = [describe(process) for process in descendants() if process not in before]
        assert not left, f"still running: {left}"
        return True

    eventually(nothing_new, seconds=seconds)


class Ended(Exception):
    """A program has ended that should be running; the message is what it printed last."""


class Program:
    """A program in a nursery of its own: a process that adopts its orphans, so that its whole offspring stays visible.

    Its output goes to a file. It gets SIGTERM when the test run dies. Only root can give it another `uid`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        directory: Path = ROOT,
        uid: int | None = None,
    ) -> None:
        self.log = log
        self._status = log.with_suffix(".status")
        self._status.unlink(missing_ok=True)
        owner = str(os.geteuid() if uid is None else uid)
        with log.open("wb") as output:
            self._nursery = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_NURSERY), str(os.getpid()), str(self._status), owner, *command],
                cwd=directory,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The program's own pid. Raises `Ended`."""
        self.check()
        return eventually(lambda: self._noted("pid"))

    @property
    def exit_status(self) -> int | None:
        """How it ended (negative: by that signal), or `None` while it runs."""
        return self._noted("status")

    def check(self) -> None:
        """Raises `Ended` unless it runs."""
        if self.exit_status is not None:
            raise Ended(f"status {self.exit_status}, last lines:\n{self.tail()}")

    def offspring(self) -> list[psutil.Process]:
        """The program itself and all that came of it, as far as it lives."""
        return descendants(self._nursery.pid)

    def signal(self, number: signal.Signals) -> None:
        """Signal the program only."""
        os.kill(self.pid, number)

    def stop(self, *, seconds: float = 90.0, lingering_seconds: float = 10.0) -> int:
        """SIGTERM; its exit status. Fails when it takes too long or when anything that it started outlives it."""
        try:
            if self.exit_status is None:
                self.signal(signal.SIGTERM)
            eventually(lambda: self.exit_status is not None, seconds=seconds, message=f"no end, last:\n{self.tail()}")
            assert_gone(self.offspring(), seconds=lingering_seconds)
            return self.exit_status or 0
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to everything; safe to call twice."""
        while left := self.offspring():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        self._nursery.kill()
        self._nursery.wait()

    def tail(self, lines: int = 40) -> str:
        """The last lines of its output."""
        return "\n".join(self.output.splitlines()[-lines:])

    def _noted(self, name: str) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            notes = dict(line.split() for line in self._status.read_text().splitlines())
            return int(notes[name]) if name in notes else None
        return None
