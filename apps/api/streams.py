"""A job's events as the body of a stream of server-sent events."""

import asyncio
from collections.abc import AsyncGenerator

from apps.api import jsonio, sse
from apps.api.authentication import REFUSED
from apps.api.errors import problem_of
from apps.api.feeds import Feed
from apps.api.frames import encoded
from apps.api.keywatch import watch
from apps.api.problems import ApiError
from apps.jobs.events import Event
from apps.jobs.following import follow_batches
from apps.keys.models import ApiKey
from config import lifecycle


class Restarting(Exception):
    """This process is about to stop."""


async def event_stream(job_id: str, *, after: int, key: ApiKey) -> AsyncGenerator[bytes]:
    """Events, and pings in silences. Ends early when the key is revoked or the service restarts."""
    feed = Feed(follow_batches(job_id, after=after))
    restarting = asyncio.create_task(lifecycle.draining())
    restarting.add_done_callback(lambda task: None if task.cancelled() else feed.fail(Restarting()))
    try:
        yield sse.RETRY
        with watch().using(key, ended=lambda: feed.fail(ApiError(REFUSED))):
            while (batch := await feed.next(seconds=sse.PING_SECONDS)) is not None:
                yield b"".join(_written(event, job_id) for event in batch) or sse.PING
    except Restarting:
        yield sse.RESTARTING
    except Exception as error:
        told = {**problem_of(error).body()["error"], "type": "error"}
        yield sse.event(type="error", data=jsonio.dumps(told))
    finally:
        restarting.cancel()
        feed.close()


def _written(event: Event, job_id: str) -> bytes:
    return sse.event(type=event.type, data=encoded(event, job_id), sequence_number=event.sequence_number)
