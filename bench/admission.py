"""Does admission grow with what is stored? An empty database beside a full one, on SQLite and PostgreSQL.

Each database has a process of its own (`admission_worker`); they are measured in turns, so that what else the machine
does meets both. ADMISSION_ROWS, ADMISSION_KEYS and ADMISSION_BUDGETS make the full ones smaller, for a try.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.report import Report, percentile
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer

KEYS = int(os.environ.get("ADMISSION_KEYS", "100000"))
BUDGETS = int(os.environ.get("ADMISSION_BUDGETS", "10000"))
ROWS = int(os.environ.get("ADMISSION_ROWS", "5000000"))
"""Of the ledger, and as many of the record."""
_ROUNDS = 10
_SAMPLES = 100
_SUSTAINED_SECONDS = 10


def admission(report: Report) -> None:
    """Authenticate → rate → decide → reserve → row → ring, empty and full; then as fast as it goes."""
    _compare("SQLite", None, report)
    postgres = PostgresServer()
    try:
        postgres.start()
        _compare("PostgreSQL", postgres, report)
    finally:
        postgres.stop()


def _compare(name: str, postgres: PostgresServer | None, report: Report) -> None:
    with ExitStack() as stack:
        empty, full = (stack.enter_context(_worker(postgres)) for _ in range(2))
        empty.do("prepare", count=20)
        full.do("prepare", count=200)
        seconds = full.do("fill", keys=KEYS, budgets=BUDGETS, rows=ROWS)
        print(f"  ({name}: filled in {seconds:.0f} s)", flush=True)
        times: dict[_Worker, list[float]] = {empty: [], full: []}
        for each in times:
            each.do("measure", samples=_SAMPLES)
        for _ in range(_ROUNDS):
            for each in times:
                times[each] += each.do("measure", samples=_SAMPLES)
        before, after = (percentile(taken, 95) for taken in times.values())
        rates = [each.do("sustain", seconds=_SUSTAINED_SECONDS) for each in times]
    what = f"{KEYS:,} keys, {BUDGETS:,} budgets, {ROWS:,} ledger and {ROWS:,} audit rows"
    report.add(
        f"admission p95, {name}, {what}",
        f"{after * 1000:.1f} ms against {before * 1000:.1f} ms empty ({after / before:.2f} ×)",
        "≤ 1.3 ×",
        after <= 1.3 * before,
    )
    report.add(f"submissions, {name}, audit chain on", f"{rates[1]:.0f}/s full, {rates[0]:.0f}/s empty")


class _Worker:
    """A process with a database; a command is one line of JSON, and so is what it answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def do(self, command: str, **options: Any) -> Any:
        """The command's result. Raises RuntimeError if the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that should {command} has ended")
        return json.loads(line)


@contextmanager
def _worker(postgres: PostgresServer | None) -> Iterator[_Worker]:
    with tempfile.TemporaryDirectory(prefix="ccs-a-") as directory:
        valkey = ValkeyServer(Path(directory) / "valkey")
        valkey.start()
        environ = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": f"{directory}/data",
            "DATABASE_URL": postgres.new_database() if postgres else "",
            "REDIS_URL": valkey.url,
            "ANTHROPIC_API_KEY": "dummy",
            "LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "bench.admission_worker"]
        process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield _Worker(process)
        finally:
            process.kill()
            process.wait()
            valkey.kill()
