"""Tries to break the wall around a task's network, from inside a jail, before any task may use it."""

import asyncio
import contextlib
import ipaddress
import os
import shlex
from pathlib import Path

from apps.claude.jail import HOME_INSIDE, Jail, JailBroken, arguments_fd
from apps.claude.network.connection import Connection
from apps.claude.network.door import PORT, DoorShut, python_inside
from apps.claude.network.line import Line
from apps.claude.network.reach import Reach

_WORD = b"you-should-not-read-this"
_OPEN, _SHUT = "127.0.0.2", "127.0.0.1"
"""Two addresses of this machine, of which the proof's own rules allow one."""
_SECONDS = 30
_FORMS = (
    *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "0.0.0.0", "[::]"),  # noqa: S104
    *("2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "169.254.169.254"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]"),
)
_SCRIPT = f"""
import socket, sys
def said(host, port, text):
    try:
        with socket.create_connection((host, port), 5) as out:
            out.sendall(text)
            return b"".join(iter(lambda: out.recv(4096), b""))
    except OSError as error:
        return str(error).encode()
def tell(name, answer):
    print(name, "read" if sys.argv[1].encode() in answer else "kept")
for target in sys.argv[2:]:
    tell(target, said("127.0.0.1", {PORT}, f"CONNECT {{target}} HTTP/1.1\\r\\n\\r\\n".encode()))
tell("direct", said("127.0.0.1", int(sys.argv[2].rpartition(":")[2]), b""))
"""


class NotTried(JailBroken):
    """Nothing is known; the next task may try again."""


async def prove(jail: Jail, cli: Path, directory: Path, uid: int | None) -> None:
    """Raises JailBroken saying what does not hold, or does not work. Takes about 0.2 s."""
    heard: list[str] = []
    try:
        async with contextlib.AsyncExitStack() as stack:
            port = await _listen(stack, heard)
            reach = Reach(networks=(ipaddress.ip_network(_OPEN),), ports=frozenset({port}))
            line = Line(directory, uid, reach, web=True)
            stack.push_async_callback(line.close)
            told: list[Connection] = []
            line.proxy.let_in(told.append)
            targets = [f"{_OPEN}:{port}", *(f"{form}:{port}" for form in _FORMS), f"{_OPEN}:{22 if port != 22 else 23}"]
            said = await _attack(jail, cli, directory, line, targets)
    except (OSError, DoorShut, TimeoutError) as error:
        raise NotTried(f"the network of a task could not be tried: {error}") from error
    _judge(targets, said, heard, told)


def _judge(targets: list[str], said: dict[str, str], heard: list[str], told: list[Connection]) -> None:
    read = [target for target, became in said.items() if became == "read" and target != targets[0]]
    if read or _SHUT in heard:
        raise JailBroken(f"a task can connect to {', '.join(read) or 'this machine'}")
    if said.get(targets[0]) != "read":
        raise NotTried("a task's network does not work: the proxy could not be used from a jail")
    refused = [connection for connection in told if not connection.allowed]
    if set(said) != {*targets, "direct"} or len(refused) != len(targets) - 1:
        raise NotTried("the network of a task could not be tried: not every attack was made and refused")


async def _listen(stack: contextlib.AsyncExitStack, heard: list[str]) -> int:
    """Something to connect to on both addresses; their port."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("sockname")[0])
        writer.write(_WORD)
        writer.close()

    shut = await asyncio.start_server(answer, _SHUT, 0)
    stack.callback(shut.close)
    port: int = shut.sockets[0].getsockname()[1]
    allowed = await asyncio.start_server(answer, _OPEN, port)
    stack.callback(allowed.close)
    return port


async def _attack(jail: Jail, cli: Path, directory: Path, line: Line, targets: list[str]) -> dict[str, str]:
    """What became of each target, tried from inside. Raises OSError, TimeoutError."""
    environment = {"HOME": HOME_INSIDE, "PATH": "/usr/bin:/bin"}
    fd = arguments_fd(jail.arguments(cli=cli, lane=directory, environment=environment))
    words = shlex.join([python_inside(), "-I", "-S", "-c", _SCRIPT, _WORD.decode(), *targets])
    command = [*jail.prefix(fd, line.uid_outside), "/bin/sh", "-c", line.first_command() + words]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            pass_fds=(fd,),
        )
    finally:
        os.close(fd)
    try:
        await line.open()
        async with asyncio.timeout(_SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return dict(each.split() for each in out.decode().splitlines() if len(each.split()) == 2)
