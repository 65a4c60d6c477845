"""Finds out everything that could go wrong with a start, before the first process is started."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import IO

from config import listening, paths, valkey
from config.env import Env, Misconfigured

NEEDED_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Everything that had to be had before the first process was started."""

    env: Env
    environ: dict[str, str]
    url: str
    listener: socket
    runtime_dir: Path
    valkey_program: str | None  # None: REDIS_URL names one
    lock: IO[str]


def check(*, host: str, port: int, workers: int | None, demo: bool) -> Checked:
    """Finds out everything that could go wrong. Raises Misconfigured with one line that says what to do."""
    environ = _environment(host=host, workers=workers, demo=demo)
    env = Env.read(environ)
    data_dir = paths.prepare_data_dir(env.data_dir)
    free = shutil.disk_usage(data_dir).free
    if free < NEEDED_BYTES:
        raise Misconfigured(f"no space: {free // 2**20} MB are free in DATA_DIR {data_dir}, 200 MB are needed")
    lock = _only_one(data_dir)
    if not env.secret_key:
        paths.secret_key(data_dir)
    listener = listening.listen(host, port)
    return Checked(
        env=env,
        environ=environ,
        url=listening.url(host, listener.getsockname()[1]),
        listener=listener,
        runtime_dir=paths.runtime_dir(data_dir),
        valkey_program=None if env.redis_url else valkey.server_program(env.valkey_server),
        lock=lock,
    )


def _environment(*, host: str, workers: int | None, demo: bool) -> dict[str, str]:
    environ = dict(os.environ)
    names = environ.get("ALLOWED_HOSTS", "").strip() or "localhost,127.0.0.1,[::1]"
    environ["ALLOWED_HOSTS"] = f"{names},{host}"
    environ["PYTHONUNBUFFERED"] = "1"
    if workers is not None:
        environ["WORKERS"] = str(workers)
    if demo or Env.read(environ).demo:
        # Nothing of the real install is touched: not its data, its database, its Valkey or its credential.
        environ["DEMO"] = "1"
        environ["DATA_DIR"] = str(Env.read(environ).data_dir / "demo")
        for name in ("DATABASE_URL", "REDIS_URL", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
            environ.pop(name, None)
        environ["ANTHROPIC_API_KEY"] = "demo"
    return environ


def _only_one(data_dir: Path) -> IO[str]:
    """Holds the data directory for this process; released by the system however the process ends."""
    lock = (data_dir / "serve.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise Misconfigured(f"already running on DATA_DIR {data_dir} (process {owner}); stop it first") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
