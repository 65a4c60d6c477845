"""Fan-out: many followers of many streaming jobs, with and without reconnects."""

import asyncio
import json
import random
import re
import time

import aiohttp

from bench.report import Report, ms, percentile
from bench.rig import Target

_JOBS = 16
_FOLLOWERS = 200
_RATE = 50
_SECONDS = 20
_EVENT = re.compile(rb"id: (\d+)\nevent: (\w+)\ndata: (.*)")


async def fan_out(target: Target, report: Report) -> None:
    """16 jobs at 50 tokens/s, 200 followers, 20 s; then the same with random reconnects. On a pool that has grown."""
    async with target.session() as session:
        for _ in range(4):
            await asyncio.gather(*(target.chat(session, "[[first: 3]] hello", stream=False) for _ in range(_JOBS)))
    for reconnect in (False, True):
        delays, faults = await _follow_all(target, reconnect)
        p95 = percentile(delays, 95)
        what = "with random reconnects" if reconnect else "16 jobs × 50 tokens/s, 200 followers, 20 s"
        report.add(
            f"token delay, {what}", f"p95 {ms(p95)}, median {ms(percentile(delays, 50))}", "p95 ≤ 250 ms", p95 <= 0.25
        )
        report.add(f"lost, doubled or out of order, {what}", str(faults), "0", faults == 0)


async def _follow_all(target: Target, reconnect: bool) -> tuple[list[float], int]:
    tokens = _RATE * _SECONDS
    async with target.session() as session:
        jobs = await asyncio.gather(*(_start(session, tokens) for _ in range(_JOBS)))
        watching = [_follow(session, jobs[n % _JOBS][0], reconnect) for n in range(_FOLLOWERS)]
        seen = await asyncio.gather(*watching)
        await asyncio.gather(*(holder for _, holder in jobs))
    delays, faults = [], 0
    for arrivals in seen:
        words = [word for _, text in arrivals for word in text.split()]
        faults += words != _words(tokens)
        # Token n leaves the model n/50 s after the first; the follower's fastest token sets the clock.
        count, offsets = 0, []
        for at, text in arrivals:
            count += len(text.split())
            offsets.append(at - (count - 1) / _RATE)
        earliest = min(offsets)
        delays += [offset - earliest for offset in offsets]
    return delays, faults


async def _start(session: aiohttp.ClientSession, tokens: int) -> tuple[str, "asyncio.Task[None]"]:
    """A streaming chat whose own client stays, and its job id."""
    prompt = f"[[tokens: {tokens}]] [[rate: {_RATE}]] go"
    body = {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": prompt}]}
    response = await session.post("/v1/chat/completions", json=body)
    assert response.status == 200, await response.text()

    async def hold() -> None:
        async for _ in response.content.iter_any():
            pass

    return response.headers["x-job-id"], asyncio.create_task(hold())


async def _follow(session: aiohttp.ClientSession, job_id: str, reconnect: bool) -> list[tuple[float, str]]:
    """When each piece of text came, over as many connections as it took. Cheap, so as not to measure the client."""
    arrivals: list[tuple[float, bytes]] = []
    last, ended = 0, False
    while not ended:
        limit = time.perf_counter() + (random.uniform(0.5, 6.0) if reconnect else 1e9)
        url = f"/v1/jobs/{job_id}/events?starting_after={last}"
        async with session.get(url, headers={"accept": "text/event-stream"}) as response:
            assert response.status == 200, await response.text()
            rest = b""
            async for chunk in response.content.iter_any():
                now = time.perf_counter()
                *whole, rest = (rest + chunk).split(b"\n\n")
                for number, kind, data in _EVENT.findall(b"\n\n".join(whole)):
                    last = int(number)
                    ended = kind in (b"done", b"error")
                    if kind == b"token":
                        arrivals.append((now, data))
                if ended or now > limit:
                    break
    return [(at, json.loads(data)["content"]) for at, data in arrivals]


def _words(tokens: int) -> list[str]:
    from apps.claude.scripted.tokens import numbered

    return numbered(tokens).split()
