"""Tells everything in a web process that the process is about to stop.

Once `begin_draining` was called, `/ready` fails, no new work is taken, and open streams end so that clients reconnect:

    if lifecycle.is_draining(): ...                 # any thread
    await lifecycle.draining()                      # returns when draining begins; any event loop
"""

import asyncio
import threading

_began = threading.Event()
_lock = threading.Lock()
_waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()


def is_draining() -> bool:
    """Whether this process is about to stop."""
    return _began.is_set()


async def draining() -> None:
    """Returns when this process begins to stop; at once when it already does. Cancelling it is safe."""
    entry = (asyncio.get_running_loop(), asyncio.Event())
    with _lock:
        if _began.is_set():
            return
        _waiting.add(entry)
    try:
        await entry[1].wait()
    finally:
        with _lock:
            _waiting.discard(entry)


def begin_draining() -> None:
    """Wakes everybody who waits in `draining`. Thread-safe; a second call does nothing."""
    with _lock:
        _began.set()
        entries = list(_waiting)
    for loop, event in entries:
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)


def reset() -> None:
    """Back to the state of a fresh process, for tests."""
    with _lock:
        _began.clear()
        _waiting.clear()
