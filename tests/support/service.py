"""The whole service as a user starts it: `manage.py serve` with a data directory of its own and the scripted model."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from config.paths import runtime_dir
from tests.support.http import Http
from tests.support.processes import ROOT, Program
from tests.support.waiting import eventually

START_SECONDS = 90
UPSTREAM_KEY = "sk-ant-scripted-credential-that-must-not-leak"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VALKEY_SERVER", "CLAUDE_CLI_PATH")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key of a project."""

    name: str
    project: str
    key: str
    key_id: str
    http: Http


class Service:
    """A running service. Alice owns the project atlas, Bob works on it too, Charlie must see nothing of it."""

    def __init__(self, directory: Path, *, upstream: str, environ: Mapping[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = directory / "data"
        self.environ = {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
            "DATA_DIR": str(self.data_dir),
            "CLAUDE_HOME": str(directory / "claude-home"),
            "ANTHROPIC_BASE_URL": upstream,
            "ANTHROPIC_API_KEY": UPSTREAM_KEY,
            "WORKERS": "2",
            "CLAUDE_SLOTS": "4",
            "DRAIN_SECONDS": "5",
            "LOG_FORMAT": "json",
            **environ,
        }
        command = [sys.executable, "manage.py", "serve", "--port", "0"]
        self.program = Program(command, environ=self.environ, log=directory / "service.log")
        try:
            self.url = eventually(self._announced, seconds=START_SECONDS, message="the service did not start")
        except BaseException:
            self.kill()
            raise

    @property
    def output(self) -> str:
        """Everything the service printed, its logs included."""
        return self.program.output

    @cached_property
    def first_key(self) -> str:
        """The key that the first start made and printed."""
        found = re.search(r"API key\s+(\S+)", self.output)
        assert found, self.program.tail()
        return found[1]

    @cached_property
    def alice(self) -> Person:
        """Owner of the project atlas."""
        return self.person("alice", "atlas")

    @cached_property
    def bob(self) -> Person:
        """Works on the project atlas too."""
        return self.person("bob", "atlas")

    @cached_property
    def charlie(self) -> Person:
        """Owner of another project; must see nothing of atlas."""
        return self.person("charlie", "borealis")

    def person(self, name: str, project: str) -> Person:
        """Somebody new, with a new key of a project, which is made if need be."""
        issued = json.loads(self.manage("issue_key", project, "--name", name, "--json"))
        return Person(name, project, issued["key"], issued["id"], self.http(issued["key"]))

    def http(self, key: str = "") -> Http:
        """A client with that key, or without one."""
        return Http(self.url, key=key)

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints, run beside the service. Raises `CalledProcessError`."""
        command = [sys.executable, "manage.py", *arguments]
        environ = {**self.environ, **self._connection()}
        return subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout

    def processes(self) -> list[psutil.Process]:
        """Every living process of the service, the CLI's in their jails included."""
        return self.program.offspring()

    def find(self, *words: str) -> list[psutil.Process]:
        """Those whose command line holds all of the words, oldest first."""

        def wanted(process: psutil.Process) -> bool:
            try:
                return all(word in " ".join(process.cmdline()) for word in words)
            except psutil.Error:
                return False

        return sorted(filter(wanted, self.processes()), key=lambda process: process.create_time())

    def wait_until_ready(self, *, seconds: float = 30.0) -> None:
        """Returns when `/ready` says yes: workers are up too."""
        eventually(lambda: self.http().get("/ready").status == 200, seconds=seconds, message="not ready")

    def stop(self, *, seconds: float = 40.0) -> int:
        """SIGTERM, as Ctrl-C does it; the exit status. Fails when anything survives."""
        try:
            return self.program.stop(seconds=seconds)
        finally:
            self._clean()

    def kill(self) -> None:
        """End it at once."""
        self.program.kill()
        self._clean()

    def interrupt(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal the service and return at once."""
        self.program.signal(number)

    def _connection(self) -> dict[str, str]:
        """The private Valkey is where `serve` put it, which other commands derive from DATA_DIR like `serve` does."""
        return {}

    def _announced(self) -> str:
        self.program.check()
        found = re.search(r"serving\s+(http://\S+?)/v1", self.output)
        assert found, f"its last lines:\n{self.program.tail()}"
        return found[1]

    def _clean(self) -> None:
        if self.data_dir.exists():
            shutil.rmtree(runtime_dir(self.data_dir), ignore_errors=True)
