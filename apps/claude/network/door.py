"""A loopback port inside a jail that the worker itself listens on.

Process 1 of the jail makes the listening socket in the jail's own network, before anything else runs there, and hands
it out through a unix socket, which is then taken away. So no process stands between a task and the proxy, in the jail
or outside, and where no socket was made there is nothing to connect to.
"""

import asyncio
import contextlib
import shlex
import shutil
import socket
import sys
from pathlib import Path

from apps.claude.jail import EGRESS_INSIDE, JailBroken

PORT = 3128
ADDRESS = f"http://127.0.0.1:{PORT}"
SOCKET_NAME = "door.sock"
_OPEN_SECONDS = 20.0
_HELPER = f"""
import socket
inside = socket.create_server(("127.0.0.1", {PORT}), backlog=64)
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect("{EGRESS_INSIDE}/{SOCKET_NAME}")
socket.send_fds(out, [b"door"], [inside.fileno()])
"""


class DoorShut(OSError):
    """The jail did not hand out its socket; the message says why."""


def python_inside() -> str:
    """A Python that a jail can see, which is below /usr. Raises JailBroken."""
    here = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}").resolve()
    for python in (here, Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if python.is_relative_to("/usr") and python.exists():
            return str(python)
    raise JailBroken("there is no python3 below /usr, which a jail needs for its network")


def first_command() -> str:
    """What process 1 of the jail runs first, as shell text. Raises JailBroken."""
    return f"{python_inside()} -I -S -c {shlex.quote(_HELPER)} </dev/null || exit 70; "


class Door:
    """The outer end, in the directory that the jail sees as its egress'. Belongs to one event loop."""

    def __init__(self, directory: Path, uid: int | None) -> None:
        self._path = directory / SOCKET_NAME
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        if uid is not None:
            shutil.chown(self._path, uid, uid)

    async def opened(self) -> socket.socket:
        """The socket that the jail listens on, checked to be that; the way it came is closed. Raises DoorShut."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._socket, arrived.set)
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await arrived.wait()
            return self._take()
        except TimeoutError:
            raise DoorShut("the jail made no socket for its network") from None
        finally:
            loop.remove_reader(self._socket)
            self.close()

    def close(self) -> None:
        """Take nothing any more."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _take(self) -> socket.socket:
        _, fds, _, _ = socket.recv_fds(self._socket, 16, 4)
        handed = [socket.socket(fileno=fd) for fd in fds]
        if len(handed) == 1 and _is_door(handed[0]):
            handed[0].set_inheritable(False)
            handed[0].setblocking(False)
            return handed[0]
        for each in handed:
            each.close()
        raise DoorShut("what the jail handed out is not its socket")


def _is_door(handed: socket.socket) -> bool:
    return (
        handed.family == socket.AF_INET
        and handed.type == socket.SOCK_STREAM
        and bool(handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        and handed.getsockname() == ("127.0.0.1", PORT)
    )
