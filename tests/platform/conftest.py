"""`manage.py serve` as its own process, also where it is expected not to come up."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.paths import runtime_dir
from tests.support.databases import Migrated
from tests.support.http import Http
from tests.support.processes import ROOT, Program
from tests.support.waiting import eventually

Serve = Callable[..., Program]
SETTINGS = {"LOG_FORMAT": "json", "WORKERS": "1", "CLAUDE_SLOTS": "1", "DRAIN_SECONDS": "3", "DEMO_DAYS": "0"}


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """What a started service sees: nothing of the test run but where programs are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, **SETTINGS, "DATA_DIR": str(data_dir), **settings}


def refusal(data_dir: Path, *arguments: str, **settings: str) -> str:
    """What `serve` says when it refuses to start. Fails when that takes a minute, or more than a line."""
    done = subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == "", "something was started"
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def started(program: Program, *, ready: bool = False, seconds: float = 180) -> None:
    """Returns when the service says that it serves, or with `ready` when its workers are up too."""

    def serving() -> bool:
        assert program.exit_status is None, f"it ended:\n{program.tail()}"
        return "serving  http" in program.output

    eventually(serving, seconds=seconds, message=f"the service did not start:\n{program.tail()}")
    if ready:
        eventually(lambda: client(program).get("/ready").status == 200, seconds=seconds, message="never ready")


def client(program: Program, key: str = "") -> Http:
    """A client of a service that has started."""
    found = re.search(r"serving\s+(http://\S+?)/v1", program.output)
    assert found
    return Http(found[1], key=key)


def key_of(program: Program) -> str:
    """The key that the first start printed."""
    found = re.search(r"API key\s+(ccs_live_\S+)", program.output)
    assert found, program.tail()
    return found[1]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def serving(directory: Path, migrated: Migrated) -> Iterator[Serve]:
    """What the fixture `serve` gives, on `directory`."""
    data_dir = directory / "data"
    programs: list[Program] = []

    def start(*arguments: str, from_nothing: bool = False, **settings: str) -> Program:
        if not (from_nothing or programs):
            migrated.give(data_dir / "demo" if "--demo" in arguments else data_dir)
        command = [sys.executable, "manage.py", "serve", "--port", "0", *arguments]
        log = directory / f"serve-{len(programs)}.log"
        programs.append(Program(command, environ=environment(data_dir, **settings), log=log))
        return programs[-1]

    try:
        yield start
    finally:
        for program in programs:
            program.kill()
        for used in (data_dir, data_dir / "demo"):
            if used.exists():
                shutil.rmtree(runtime_dir(used), ignore_errors=True)


@pytest.fixture
def serve(tmp_path: Path, migrated: Migrated) -> Iterator[Serve]:
    """`serve("--demo", SETTING="…")` starts one on `data_dir` and a free port; it is killed at the end.

    Its database has its tables already, unless `from_nothing`.
    """
    with serving(tmp_path, migrated) as start:
        yield start
