"""Runs one program and adopts its orphans. Not imported: `python nursery.py PARENT_PID STATUS_FILE UID COMMAND …`.

Writes `pid N` and, when the program has ended, `status N` to the file, and lives on until it is killed, so that
whatever the program left behind can be found below it. When the test run (PARENT_PID) dies, the program gets SIGTERM.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def note(path: str, line: str) -> None:
    with open(path, "a") as file:  # noqa: PTH123  # started with -S, and in a hurry
        file.write(line + "\n")


def main(parent: int, status_file: str, uid: int, command: list[str]) -> None:
    """Runs for ever, or until the program ended and there is nobody left to look."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        if uid != os.geteuid():
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        os.execvpe(command[0], command, os.environ)
    note(status_file, f"pid {child}")
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            signal.pause() if os.getppid() == parent else sys.exit()
            continue
        if pid == child:
            note(status_file, f"status {os.waitstatus_to_exitcode(status)}")
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            if os.getppid() != parent:
                sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
