"""The scripted model as tests see it: a server process of its own, its log, and answers told out of band."""

import json
import sys
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from tests.support.processes import Program
from tests.support.waiting import eventually


def new_marker() -> str:
    """A word that is in no other test's prompt; it finds this test's requests in the shared log."""
    return f"mark-{uuid.uuid4().hex[:16]}"


class Log:
    """The requests a scripted model has seen. Tests share it: look only at your own marker."""

    def __init__(self, url: str) -> None:
        self._url = url

    def containing(self, marker: str) -> list[dict[str, Any]]:
        """The entries whose body contains the marker, oldest first."""
        entries: list[dict[str, Any]] = _call(f"{self._url}/log?containing={urllib.parse.quote(marker)}")
        return entries

    def one(self, marker: str, *, seconds: float = 30.0) -> dict[str, Any]:
        """The only entry with the marker, once its answer is over."""

        def finished() -> dict[str, Any] | None:
            entries = self.containing(marker)
            assert len(entries) == 1, f"{len(entries)} requests contain {marker}"
            return entries[0] if entries[0]["finished"] else None

        return eventually(finished, seconds=seconds, message=f"no finished request with {marker}")


class ScriptedServer:
    """A running scripted model."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "apps.claude.scripted", "--log-limit", "5000", *arguments]
        environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        self.program = Program(command, environ=environ, log=directory / "scripted.log")
        self.url = eventually(self._listening, seconds=60, message="the scripted model did not start")
        self.log = Log(self.url)

    def _listening(self) -> str:
        self.program.check()
        _, said, url = self.program.output.strip().partition("listening ")
        return url if said else ""

    def answer(self, match: str, *answers: str | list[dict[str, object]]) -> None:
        """Queue answers for requests that contain `match`: texts with directives, or lists of content blocks."""
        _call(f"{self.url}/script", {"match": match, "answers": list(answers)})

    def stats(self) -> dict[str, Any]:
        """Totals since the start."""
        stats: dict[str, Any] = _call(f"{self.url}/stats")
        return stats

    def stop(self) -> None:
        """End it."""
        self.program.kill()


def _call(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=60) as answer:
        return json.load(answer)
