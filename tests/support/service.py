"""The whole service as a user starts it: `manage.py serve` with a data directory of its own and the scripted model."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from config.paths import runtime_dir
from tests.support.databases import Migrated
from tests.support.http import Http
from tests.support.processes import ROOT, Program
from tests.support.waiting import eventually

START_SECONDS = 180
UPSTREAM_KEY = "sk-ant-scripted-credential-that-must-not-leak"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VALKEY_SERVER", "CLAUDE_CLI_PATH")
_ISSUE_KEYS = """
import sys
from django.core.management import call_command
for name, project in zip(sys.argv[1::2], sys.argv[2::2]):
    call_command("issue_key", project, name=name, json=True)
"""


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

    def __init__(
        self, directory: Path, *, upstream: str, environ: Mapping[str, str], migrated: Migrated | None = None
    ) -> None:
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
            "AUTH_FAILURES_PER_MINUTE": "1000",  # all tests come from one address
            **environ,
        }
        if migrated is not None and "DATABASE_URL" not in environ:
            migrated.give(self.data_dir)
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

    @property
    def alice(self) -> Person:
        """Owner of the project atlas."""
        return self._cast["alice"]

    @property
    def bob(self) -> Person:
        """Works on the project atlas too."""
        return self._cast["bob"]

    @property
    def charlie(self) -> Person:
        """Owner of another project; must see nothing of atlas."""
        return self._cast["charlie"]

    @cached_property
    def _cast(self) -> dict[str, Person]:
        return {p.name: p for p in self.people(("alice", "atlas"), ("bob", "atlas"), ("charlie", "borealis"))}

    def people(self, *wanted: tuple[str, str]) -> list[Person]:
        """Somebody new for each name and project, with a new key; projects are made if need be."""
        made = self._run("-c", _ISSUE_KEYS, *(word for pair in wanted for word in pair))
        keys = [json.loads(line) for line in made.splitlines()]
        return [
            Person(name, project, issued["key"], issued["id"], self.http(issued["key"]))
            for (name, project), issued in zip(wanted, keys, strict=True)
        ]

    def http(self, key: str = "") -> Http:
        """A client with that key, or without one."""
        return Http(self.url, key=key)

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints, run beside the service. Raises `CalledProcessError`."""
        return self._run("manage.py", *arguments)

    def run_python(self, code: str, *arguments: str) -> str:
        """What a script prints that runs beside the service, with its settings. Raises `CalledProcessError`."""
        return self._run("-c", code, *arguments)

    def _run(self, *arguments: str) -> str:
        commander = self._commander
        commander.stdin.write(json.dumps(arguments) + "\n")  # type: ignore[union-attr]
        commander.stdin.flush()  # type: ignore[union-attr]
        answer = commander.stdout.readline()  # type: ignore[union-attr]
        assert answer, "settings with which nothing can be run"
        done = json.loads(answer)
        if done["status"] != 0:
            raise subprocess.CalledProcessError(done["status"], arguments, done["output"])
        return str(done["output"])

    @cached_property
    def _commander(self) -> subprocess.Popen[str]:
        environ = {**self.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command, pipe = [sys.executable, "-m", "tests.support.commander"], subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, text=True)

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

    def wait_until_ready(self, *, seconds: float = 120.0) -> None:
        """Returns when `/ready` says yes: workers are up too."""
        eventually(lambda: self.http().get("/ready").status == 200, seconds=seconds, message="not ready")

    def stop(self, *, seconds: float = 90.0) -> int:
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

    def _announced(self) -> str:
        self.program.check()
        found = re.search(r"serving\s+(http://\S+?)/v1", self.output)
        assert found, f"its last lines:\n{self.program.tail()}"
        return found[1]

    def _clean(self) -> None:
        if "_commander" in vars(self):
            self._commander.communicate()  # it ends when nobody can ask any more
            del self._commander
        if self.data_dir.exists():
            shutil.rmtree(runtime_dir(self.data_dir), ignore_errors=True)


ServiceFactory = Callable[..., Service]
