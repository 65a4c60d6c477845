"""Chat: time to the first token, throughput, CPU, a burst, and what a prompt or a slow model changes."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

from bench.report import Report, median, ms
from bench.rig import Answer, Target, cold_cli, direct_engine

_SAMPLES = 60
_SLOTS = 4


async def warm(target: Target, clients: int) -> None:
    """Let the pool grow to what this load wants."""
    async with target.session() as session:
        for _ in range(4):
            await asyncio.gather(*(target.chat(session, "hello", stream=False) for _ in range(clients)))


async def _firsts(count: int, ask: Callable[[int], Awaitable[Answer]]) -> list[float]:
    answers = [await ask(n) for n in range(count)]
    assert {answer.status for answer in answers} == {200}, [answer.text for answer in answers if answer.status != 200][
        :1
    ]
    return [answer.first_token for answer in answers]


async def first_token(target: Target, upstream: str, report: Report) -> None:
    """Cold CLI, direct live process, us: in one run."""
    cold = median([cold_cli(upstream) for _ in range(7)])
    with direct_engine(upstream) as direct:
        for _ in range(20):
            direct.first_token()
        straight = median([direct.first_token() for _ in range(_SAMPLES)])
    async with target.session() as session:
        await _firsts(20, lambda n: target.chat(session, "hello", stream=True))
        ours = median(await _firsts(_SAMPLES, lambda n: target.chat(session, "hello", stream=True)))
        fresh = median(
            await _firsts(
                _SAMPLES, lambda n: target.chat(session, "hello", stream=True, system=f"Be {uuid.uuid4().hex}.")
            )
        )
        second = median(
            await _firsts(_SAMPLES, lambda n: target.chat(session, f"one {n}", "two", f"three {n}", stream=True))
        )
        slow = median(await _firsts(15, lambda n: target.chat(session, "[[first: 1.0]] hello", stream=True)))
    report.add("first token, cold `claude -p`", ms(cold))
    report.add("first token, live process asked directly", f"{ms(straight)} ({straight / cold:.2f} × cold)")
    report.add("first token, over HTTP", f"{ms(ours)} ({ours / cold:.2f} × cold)", "≤ 0.10 × cold", ours <= 0.1 * cold)
    report.add("… above the direct question", ms(ours - straight), "≤ 25 ms", ours - straight <= 0.025)
    report.add(
        "… with a never-seen system prompt",
        f"{ms(fresh)} ({fresh / cold:.2f} × cold)",
        "≤ 0.25 × cold",
        fresh <= 0.25 * cold,
    )
    report.add(
        "… of a second turn",
        f"{ms(second)} ({second / ours:.2f} × a first)",
        "no slower (≤ 1.10 ×)",
        second <= 1.1 * ours,
    )
    report.add("… with a model that takes 1 s", f"{ms(slow - 1)} later", "≤ 40 ms", slow - 1 <= 0.04)


async def throughput(target: Target, report: Report) -> None:
    """Requests per second and CPU per request, plain and streamed, at 8 and 32 clients."""
    for clients in (8, 32):
        await warm(target, clients)
        runs = [(stream, *await _load(target, clients, stream, seconds=8.0)) for stream in (False, True, False, True)]
        plain, streamed = (median([rate for kind, rate, _ in runs if kind is stream]) for stream in (False, True))
        cpu = median([cpu for kind, _, cpu in runs if not kind])
        report.add(f"CPU per request, {clients} clients", ms(cpu), "≤ 65 ms", cpu <= 0.065)
        report.add(f"chat requests/s, {clients} clients", f"{plain:.1f}/s", "≥ 30/s", plain >= 30)
        share = streamed / plain
        report.add(
            f"streamed requests/s, {clients} clients",
            f"{streamed:.1f}/s ({share:.2f} × plain)",
            "≥ 0.9 ×",
            share >= 0.9,
        )


async def _load(target: Target, clients: int, stream: bool, seconds: float) -> tuple[float, float]:
    """Requests per second, and the service's CPU seconds for each."""
    done = 0
    cpu, began = target.cpu_seconds(), time.perf_counter()
    async with target.session() as session:

        async def client() -> None:
            nonlocal done
            while time.perf_counter() - began < seconds:
                answer = await target.chat(session, "hello", stream=stream)
                assert answer.status == 200, answer.text
                done += 1

        await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - began
    return done / elapsed, (target.cpu_seconds() - cpu) / done


async def burst(target: Target, report: Report) -> None:
    """A hundred clients at once, four slots."""
    await warm(target, _SLOTS)
    async with target.session() as session:
        began = time.perf_counter()
        answers = await asyncio.gather(
            *(target.chat(session, f"[[say: right answer {n}]] hello", stream=n % 2 == 0) for n in range(100))
        )
        seconds = time.perf_counter() - began
    right = sum(answer.text.strip() == f"right answer {n}" for n, answer in enumerate(answers))
    memory = target.memory()
    clis = memory.get("live CLI processes", 0) + memory.get("jails", 0)
    report.add(
        "burst of 100 clients, 4 slots",
        f"{right} right answers in {seconds:.1f} s",
        "100 in < 6 s",
        right == 100 and seconds < 6,
    )
    report.add("CLI memory after it", f"{clis / 2**20:.0f} MB", "< 1,500 MB", clis < 1500 * 2**20)


async def slow_model(target: Target, report: Report) -> None:
    """32 chats at once with a model that takes 5 s."""
    for _ in range(8):  # processes are started while the first rounds wait for the model
        if await _slow(target) < 6:
            break
    seconds = median([await _slow(target) for _ in range(3)])
    report.add(
        "32 chats at once, model takes 5 s", f"{seconds:.2f} s ({seconds / 5:.2f} ×)", "≤ 1.15 ×", seconds <= 5.75
    )


async def _slow(target: Target) -> float:
    async with target.session() as session:
        began = time.perf_counter()
        answers = await asyncio.gather(*(target.chat(session, "[[delay: 5]] hello", stream=False) for _ in range(32)))
        assert {answer.status for answer in answers} == {200}
        return time.perf_counter() - began
