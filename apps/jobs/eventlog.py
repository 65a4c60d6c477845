"""The live event log of a job: one Valkey stream, entry ids `<sequence number>-0`, and a bell.

While a worker runs the job, only its writer (see `writer`) appends. Here is the stored form, and what others do to the
log of a job that no worker writes any more.
"""

import contextlib
import json
import logging
from collections.abc import Iterable, Sequence
from typing import cast

import redis
from redis import ResponseError
from redis.asyncio.client import Pipeline as AsyncPipeline

from apps.claude.spec import Call
from apps.jobs import news, valkey
from apps.jobs.events import Event, dumps

KEEP_SECONDS = 600
"""How long a closed job's log stays; later replays come from the database."""
MAX_AGE_SECONDS = 86_400
"""No log outlives this, even if nobody closes it: Valkey never evicts."""

_SEAL = "18446744073709551614-0"
"""The greatest id but one: nothing can be appended behind it."""

Entry = tuple[str, dict[str, str]]


def append(client: "redis.Redis | AsyncPipeline", job_id: str, event: Event) -> None:
    """Append the event; on a pipeline, when that is executed. Valkey refuses it if the log reaches that far already."""
    client.xadd(valkey.stream(job_id), {"t": event.type, "d": dumps(event.data)}, id=f"{event.sequence_number}-0")


def decode(entries: Iterable[Entry]) -> list[Event]:
    """The events among the entries of a stream; a seal is none."""
    return [
        Event(int(entry_id.split("-", 1)[0]), fields["t"], json.loads(fields["d"]))
        for entry_id, fields in entries
        if "t" in fields
    ]


def is_repetition(error: Exception) -> bool:
    """Whether XADD was refused because the stream is already as long."""
    return isinstance(error, ResponseError) and "equal or smaller" in str(error)


def seize(job_id: str) -> tuple[list[Event], list[Call]]:
    """Seal the log against its writer and read what is in it, and the job's metered calls.

    Raises what Valkey raises when it is away.
    """
    client = valkey.client()
    try:
        client.xadd(valkey.stream(job_id), {"sealed": "1"}, id=_SEAL)
    except ResponseError as error:
        if not is_repetition(error):
            raise
    pipe = client.pipeline(transaction=False)
    pipe.xrange(valkey.stream(job_id))
    pipe.hvals(valkey.calls(job_id))
    pipe.expire(valkey.stream(job_id), MAX_AGE_SECONDS)
    entries, calls, _ = pipe.execute()
    return _unbroken(decode(entries)), [Call.from_json(json.loads(call)) for call in calls]


def read(job_id: str) -> list[Event]:
    """What a running job has said so far, 1, 2, …; nothing while Valkey is away."""
    try:
        entries = cast("list[Entry]", valkey.client().xrange(valkey.stream(job_id)))
        return _unbroken(decode(entries))
    except valkey.ERRORS:
        return []


def announce(job_id: str, events: Sequence[Event], *, project_id: int) -> None:
    """Make `events`, which end with the terminal one, the whole log, and ring.

    Followers notice within seconds without it: when Valkey is away this only writes to the service's log.
    """
    key = valkey.stream(job_id)
    try:
        pipe = valkey.client().pipeline(transaction=True)
        pipe.delete(key, valkey.calls(job_id))
        for event in events:
            append(pipe, job_id, event)
        pipe.expire(key, KEEP_SECONDS)
        pipe.publish(valkey.bell(job_id), "")
        news.add(pipe, project_id)
        pipe.execute()
    except valkey.ERRORS as error:
        logging.getLogger(__name__).warning("the end of %s could not be announced: %s", job_id, error)


def forget(job_id: str) -> None:
    """Delete the log of a job that has ended. When Valkey is away it goes by itself soon."""
    with contextlib.suppress(*valkey.ERRORS):
        valkey.client().delete(valkey.stream(job_id))


def has_followers(job_id: str) -> bool:
    """Whether any process follows the job. Raises what Valkey raises when it is away."""
    [(_, followers)] = valkey.client().pubsub_numsub(valkey.bell(job_id))
    return bool(followers)


def tell_workers(**message: str) -> None:
    """Say something on the control channel; a worker that misses it notices within seconds by the rows."""
    with contextlib.suppress(*valkey.ERRORS):
        valkey.client().publish(valkey.control(), dumps(message))


def _unbroken(events: list[Event]) -> list[Event]:
    """The events 1, 2, … up to the first gap: a log that Valkey lost and its worker could not restore has one."""
    return [event for number, event in enumerate(events, 1) if event.sequence_number == number]
