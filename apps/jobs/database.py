"""ORM calls from an event loop, and what SQLite wants done now and then."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

P = ParamSpec("P")
R = TypeVar("R")

AWAY = (OperationalError, InterfaceError)
"""What the ORM raises when the database is away or locked for too long: worth another try."""


def checkpoint() -> None:
    """Move what was written from SQLite's log into its file, beside readers and writers, so that no request has to."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


class DatabaseThreads:
    """A few threads for the ORM. Each keeps its connection, if told so; one that failed is replaced."""

    def __init__(self, size: int, *, keep_connections: bool) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="jobs-database")
        self._keep = keep_connections

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function` in one of the threads; raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, function, args, kwargs)

    def close(self) -> None:
        """End the threads once they are done."""
        self._threads.shutdown(wait=False)

    def _call(self, function: Callable[..., R], args: tuple[object, ...], kwargs: dict[str, object]) -> R:
        failed = True
        try:
            result = function(*args, **kwargs)
            failed = False
        finally:
            if failed or not self._keep:
                connections.close_all()
        return result
