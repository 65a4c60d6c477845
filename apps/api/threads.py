"""ORM calls from the event loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `work` in any thread of the loop's pool and give its database connection back afterwards."""
    return cast(R, await database_sync_to_async(work, thread_sensitive=False)(*args, **kwargs))
