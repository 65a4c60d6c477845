"""Waiting for something to become true, with a deadline instead of a sleep.

A deadline ends a test that has failed. It costs nothing otherwise, so it is long: machines are slow at times.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T | None], *, seconds: float = 30.0, every: float = 0.02, message: str = "") -> T:
    """The first true value of the probe. Fails after `seconds`; a probe that raises AssertionError is asked again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = probe()
            if value:
                return value
            failure: object = f"it was {value!r}"
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{message or 'not true'} after {seconds} s: {failure}")
        time.sleep(every)


async def eventually_async(
    probe: Callable[[], Awaitable[T | None]], *, seconds: float = 30.0, every: float = 0.02, message: str = ""
) -> T:
    """`eventually` for a coroutine function, without blocking the loop."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = await probe()
            if value:
                return value
            failure: object = f"it was {value!r}"
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{message or 'not true'} after {seconds} s: {failure}")
        await asyncio.sleep(every)
