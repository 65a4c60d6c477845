"""Child processes that cannot outlive us, and that a Ctrl-C in our terminal does not reach."""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


async def spawn(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    pass_fds: tuple[int, ...] = (),
    output: int | IO[bytes] | None = None,
) -> Process:
    """Starts a program in a session of its own; the kernel kills it when the thread that called this ends.

    `output` takes its standard output; errors go where ours go.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it ended before we asked
                os._exit(1)

    return await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        pass_fds=pass_fds,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def send(process: Process, number: signal.Signals) -> None:
    """Signals one process, if it still runs."""
    if process.returncode is None:
        try:
            process.send_signal(number)
        except ProcessLookupError:
            return


def kill_session(process: Process) -> None:
    """SIGKILL to a process and to those of its children that stayed in its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        send(process, signal.SIGKILL)
