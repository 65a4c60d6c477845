"""Batches: as fast as the people's lane when nobody else is there, and out of the way when somebody is."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp

from bench.chat import warm
from bench.report import Report, ms, percentile
from bench.rig import Target

ITEMS = 200
_CLIENTS = 8
_POLL_SECONDS = 0.1


async def measure(target: Target, report: Report) -> None:
    """Rate of a batch against that of interactive clients, and what people notice of a batch."""
    await warm(target, _CLIENTS)
    async with target.session() as session:
        rates, quiet = [], []
        for _ in range(2):
            rates.append(await _interactive_rate(target, session))
        batch = max([await _batch_rate(session) for _ in range(2)])
        people = sum(rates) / len(rates)
        share = batch / people
        figure = f"{batch:.1f}/s ({share:.2f} × {_CLIENTS} clients' {people:.1f}/s)"
        report.add(f"batch of {ITEMS} chats", figure, "≥ 0.9 ×", share >= 0.9)
        for clients in (1, 2, _CLIENTS):
            quiet = await _latencies(target, session, clients, seconds=8.0)
            busy = await _beside_a_batch(session, lambda: _latencies(target, session, clients, seconds=8.0))  # noqa: B023
            before, during = percentile(quiet, 95), percentile(busy, 95)
            figure = f"{ms(during)} ({during / before:.2f} × {ms(before)})"
            name = f"p95 of {clients} interactive client{'s' * (clients > 1)} beside a batch"
            report.add(name, figure, "≤ 1.5 ×", during <= 1.5 * before)


async def _interactive_rate(target: Target, session: aiohttp.ClientSession) -> float:
    began = time.perf_counter()
    left = iter(range(ITEMS))

    async def client() -> None:
        for _ in left:
            answer = await target.chat(session, "hello", stream=False)
            assert answer.status == 200, answer.text

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    return ITEMS / (time.perf_counter() - began)


async def _batch_rate(session: aiohttp.ClientSession) -> float:
    began = time.perf_counter()
    batch_id = await _begin(session, ITEMS)
    found = await _ended(session, batch_id)
    assert found["counts"]["completed"] == ITEMS, found["counts"]
    return ITEMS / (time.perf_counter() - began)


async def _begin(session: aiohttp.ClientSession, items: int) -> str:
    body = {"model": "sonnet", "prompts": ["hello"] * items}
    async with session.post("/v1/batch", json=body, headers={"Prefer": "respond-async"}) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["id"])


async def _ended(session: aiohttp.ClientSession, batch_id: str) -> dict[str, dict[str, int]]:
    while True:
        async with session.get(f"/v1/batch/{batch_id}?limit=1") as response:
            found: dict[str, dict[str, int]] = await response.json()
        if found["finished_at"]:
            return found
        await asyncio.sleep(_POLL_SECONDS)


async def _latencies(target: Target, session: aiohttp.ClientSession, clients: int, seconds: float) -> list[float]:
    """Seconds that requests take, of clients who think for a moment between two."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def client() -> None:
        while time.perf_counter() < until:
            answer = await target.chat(session, "hello", stream=False)
            assert answer.status == 200, answer.text
            taken.append(answer.total)
            await asyncio.sleep(0.05)

    await asyncio.gather(*(client() for _ in range(clients)))
    return taken


async def _beside_a_batch(
    session: aiohttp.ClientSession, measured: Callable[[], Awaitable[list[float]]]
) -> list[float]:
    """What is measured while a batch that is long enough is worked on."""
    batch_id = await _begin(session, 2_000)
    try:
        await asyncio.sleep(2.0)
        return await measured()
    finally:
        async with session.post(f"/v1/batch/{batch_id}/cancel") as response:
            assert response.status == 200
        await _ended(session, batch_id)
