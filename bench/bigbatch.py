"""A batch as large as batches may be: what it costs to make, to look at and to run, and that each item is asked once.

`BATCH_ITEMS=1000 bin/bench bigbatch` tries it on a smaller one.
"""

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiohttp

from bench.chat import warm
from bench.report import Report, ms, percentile
from bench.rig import Target

ITEMS = int(os.environ.get("BATCH_ITEMS", "10000"))
_PAGE = 1_000
_PING_SECONDS = 0.02
_LOOK_SECONDS = 1.0

T = TypeVar("T")


async def measure(target: Target, upstream: str, report: Report) -> None:
    """Make it, look at it while it runs, read all of its results."""
    async with target.session() as session:
        await warm(target, 8)
        before, asked = target.memory(), _asked(upstream)
        body = {"model": "haiku", "prompts": [f"[[say: {number}]]" for number in range(ITEMS)]}
        began = time.perf_counter()
        made, pings = await _beside(session, _begin(session, body))
        making = time.perf_counter() - began
        report.add(f"making a batch of {ITEMS:,}", f"{making:.2f} s")
        report.add("/health beside it, slowest", ms(max(pings)), "≤ 250 ms", max(pings) <= 0.25)
        looks, peak, open_jobs, running = await _watch(target, session, made)
        report.add("GET /v1/batch/{id}?limit=1 while it runs, p95", ms(percentile(looks, 95)))
        report.add("jobs of it open at a time, most seen", str(open_jobs), "≤ 32", open_jobs <= 32)
        report.add("rate", f"{ITEMS / running:.1f}/s")
        for kind in ("web server", "workers"):
            grown = (peak.get(kind, 0) - before.get(kind, 0)) / 2**20
            report.add(f"memory of the {kind}, at most beyond what it had", f"{grown:.0f} MB", "≤ 200 MB", grown <= 200)
        pages, results = await _pages(session, made)
        report.add(f"a page of {_PAGE:,} results, slowest", ms(max(pages)), "≤ 2000 ms", max(pages) <= 2)
        right = [each["result"] for each in results] == [str(number) for number in range(ITEMS)]
        report.add("each item answered in its place", "yes" if right else "NO", "yes", right)
        once = _asked(upstream) - asked
        report.add("requests that the model got for it", f"{once:,}", f"{ITEMS:,}", once == ITEMS)


async def _begin(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    async with session.post("/v1/batch", json=body, headers={"Prefer": "respond-async"}) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["id"])


async def _beside(session: aiohttp.ClientSession, work: Awaitable[T]) -> tuple[T, list[float]]:
    """What the work gives, and the seconds that somebody else's small requests took meanwhile."""
    pings: list[float] = []

    async def ping() -> None:
        while True:
            began = time.perf_counter()
            async with session.get("/health") as response:
                await response.read()
            pings.append(time.perf_counter() - began)
            await asyncio.sleep(_PING_SECONDS)

    pinging = asyncio.create_task(ping())
    try:
        return await work, pings
    finally:
        pinging.cancel()


async def _watch(
    target: Target, session: aiohttp.ClientSession, batch_id: str
) -> tuple[list[float], dict[str, int], int, float]:
    """Until it ends: how long a look takes, the most memory by kind, the most open jobs, and its seconds."""
    looks: list[float] = []
    peak: dict[str, int] = {}
    most = 0
    while True:
        began = time.perf_counter()
        async with session.get(f"/v1/batch/{batch_id}?limit=1") as response:
            found = await response.json()
        looks.append(time.perf_counter() - began)
        async with session.get("/v1/jobs?limit=100") as response:  # the newest: all that are open are among them
            newest = (await response.json())["data"]
        most = max(most, sum(job["status"] in ("queued", "in_progress") for job in newest))
        for kind, size in (await asyncio.to_thread(target.memory)).items():
            peak[kind] = max(peak.get(kind, 0), size)
        if found["finished_at"]:
            return looks, peak, most, found["finished_at"] - found["started_at"]
        await asyncio.sleep(_LOOK_SECONDS)


async def _pages(session: aiohttp.ClientSession, batch_id: str) -> tuple[list[float], list[dict[str, Any]]]:
    """The seconds that each page took, and all results."""
    seconds: list[float] = []
    results: list[dict[str, Any]] = []
    after = ""
    while True:
        began = time.perf_counter()
        async with session.get(f"/v1/batch/{batch_id}?limit={_PAGE}{after}") as response:
            page = await response.json()
        seconds.append(time.perf_counter() - began)
        results += page["results"]
        if not page["has_more"]:
            return seconds, results
        after = f"&after={results[-1]['index']}"


def _asked(upstream: str) -> int:
    """How many requests the scripted model has seen."""
    with urllib.request.urlopen(f"{upstream}/stats", timeout=10) as answer:
        return int(json.load(answer)["requests"])
