"""How fast `/v1/usage` answers over 200,000 jobs and five million ledger rows, on both databases.

`USAGE_JOBS=2000 bin/bench usage` tries it on less.
"""

import os
import statistics
import time
from urllib.parse import urlencode

from bench.report import Report, ms
from bench.rig import service
from tests.support.http import Http
from tests.support.postgres import PostgresServer

JOBS = int(os.environ.get("USAGE_JOBS", "200000"))
TIMES = 15
ASKED = {"PostgreSQL": 0.200, "SQLite": 0.400}
QUESTIONS: dict[str, dict[str, str]] = {
    "30 days": {},
    "90 days of Berlin by model": {"from": "DAYS", "group_by": "day,model", "tz": "Europe/Berlin"},
    "90 days of Kathmandu": {"from": "DAYS", "group_by": "day", "tz": "Asia/Kathmandu"},
    "90 days in total by key, kind and status": {"from": "DAYS", "group_by": "key,kind,status"},
    "two weeks by hour": {"from": "WEEKS", "group_by": "hour"},
}
_FILL = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from bench.usagefill import fill
fill(int(sys.argv[1]))
"""


def measure(upstream: str, report: Report) -> None:
    """Both databases, one after the other."""
    _measure("SQLite", upstream, report, {})
    server = PostgresServer()
    try:
        server.start()
        _measure("PostgreSQL", upstream, report, {"DATABASE_URL": server.new_database()})
    finally:
        server.stop()


def _measure(database: str, upstream: str, report: Report, environ: dict[str, str]) -> None:
    with service(upstream, slots=1, WORKERS="1", **environ) as target:
        project = target.service.people(("bench", "bench"))[0]
        filled = target.service.run_python(_FILL, str(JOBS)).split()
        jobs, entries, rows, seconds = filled
        report.add(f"usage, {database}: rebuilt from {int(jobs):,} jobs", f"{float(seconds):.0f} s, {int(rows):,} rows")
        worst, slowest = 0.0, ""
        for name, asked in QUESTIONS.items():
            taken = _median(project.http, asked)
            print(f"  {database}, {name}: {ms(taken)}", flush=True)
            worst, slowest = max((worst, slowest), (taken, name))
        report.add(
            f"/v1/usage, {database}, {int(jobs):,} jobs, {int(entries):,} ledger rows",
            f"{ms(worst)} for the slowest ({slowest})",
            f"< {ms(ASKED[database])}",
            worst < ASKED[database],
        )


def _median(http: Http, asked: dict[str, str]) -> float:
    now = time.time()
    since = {"DAYS": str(int(now - 90 * 86_400)), "WEEKS": str(int(now - 14 * 86_400))}
    address = f"/v1/usage?{urlencode({name: since.get(value, value) for name, value in asked.items()})}"
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = http.get(address)
        times.append(time.perf_counter() - began)
        assert answer.status == 200, answer.body
        assert answer.json()["total"]["requests"], "nothing was measured"
    return statistics.median(times)
