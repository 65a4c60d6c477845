"""Job ids: `job_` and 32 hex digits in the layout of a version 7 UUID (RFC 9562), so that they sort by time."""

import secrets
from datetime import UTC, datetime, timedelta

PREFIX = "job_"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_job_id(now: datetime) -> str:
    """An id that sorts after every id of an earlier moment (resolution: a quarter of a microsecond)."""
    return _job_id(now, secrets.randbits(62))


def new_id(prefix: str, now: datetime) -> str:
    """The same for other things than jobs."""
    return prefix + new_job_id(now).removeprefix(PREFIX)


def floor_id(moment: datetime) -> str:
    """The smallest id of this moment: ids below it are older."""
    return _job_id(moment, 0)


def created_at(job_id: str) -> datetime:
    """The moment the id was made for, to the microsecond. Raises ValueError for anything that is not a job id."""
    if len(job_id) != len(PREFIX) + 32 or not job_id.startswith(PREFIX):
        raise ValueError(f"not a job id: {job_id[:60]!r}")
    value = int(job_id[len(PREFIX) :], 16)
    milliseconds, fraction = value >> 80, value >> 64 & 0xFFF
    return _EPOCH + timedelta(milliseconds=milliseconds, microseconds=-(-fraction * 1000 // 4096))


def _job_id(moment: datetime, tail: int) -> str:
    milliseconds, microseconds = divmod((moment - _EPOCH) // timedelta(microseconds=1), 1000)
    fraction = microseconds * 4096 // 1000
    return f"{PREFIX}{milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail:032x}"
