"""Proof that the roll-ups are what jobs, egress rows and ledger say, in every group of every quarter hour."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from apps.budgets.verifying import Difference, align, compare
from apps.jobs.rollups import COUNTERS, SUMS
from apps.jobs.usage.spans import DAY, QUARTER, TIERS, moment

CHUNK = 5_000
_MONEY = (
    "cost_microusd",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_SUMS = ", ".join(f"SUM({name})" for name in _MONEY)
_PLACE = ("start", "project_id", "api_key_id", "model", "kind", "status", "error_code")
_OWNER = _PLACE[:3]
_KIND = (*_PLACE[:2], *_PLACE[3:])

Rows = Iterator[tuple[tuple[Any, ...], tuple[int, ...]]]


def differences() -> Iterator[list[Difference]]:
    """What does not agree, group by group."""
    yield from _compared(
        [("roll-up and jobs", ("requests", *_MONEY)), ("roll-up and egress rows", ("calls", *_MONEY))],
        _rollups(_PLACE, ("requests", *_MONEY)),
        _jobs(),
        _rollups(_PLACE, ("calls", *_MONEY)),
        _calls(),
    )
    yield from _compared([("roll-up and ledger", _MONEY)], _rollups(_OWNER, _MONEY), _bills())
    quarters, *others = (_tier(span) for span in sorted(TIERS))
    for name, tier in zip(("hours", "days"), others, strict=True):
        yield from _compared([(f"quarter hours and {name}", COUNTERS)], quarters, tier)
        quarters = _tier(QUARTER)
    for span in TIERS:
        pair = (f"keys and project, {span // 60} min", SUMS)
        yield from _compared([pair], _of_project("jobs_rollup", span), _of_project("jobs_projectrollup", span))


def _compared(pairs: list[tuple[str, tuple[str, ...]]], *streams: Rows) -> Iterator[list[Difference]]:
    """Streams two by two: each pair has a name, and the names of its values."""
    for place, values in align(*streams):
        subject = f"{moment(place[0]):%Y-%m-%d %H:%M}, project {place[1]}" + "".join(
            f", key {word}" if isinstance(word, int) else f", {word}" for word in place[2:] if word
        )
        found: list[Difference] = []
        for number, (what, names) in enumerate(pairs):
            found += compare(subject, f"{what}, {{}}", names, values[2 * number], values[2 * number + 1])
        yield found


def _rollups(place: tuple[str, ...], values: tuple[str, ...]) -> Rows:
    sums = ", ".join(f"SUM({name})" for name in values)
    source = f"SELECT {', '.join(place)}, {sums} FROM jobs_rollup WHERE span IN (0, 15) AND status <> 'refused'"  # noqa: S608
    return _read(source, place)


def _jobs() -> Rows:
    source = f"{_ended('COUNT(*), ' + _SUMS)} WHERE job.finished_at IS NOT NULL"
    return _read(source, _PLACE)


def _calls() -> Rows:
    written = "cache_creation_5m_input_tokens) + SUM(call.cache_creation_1h_input_tokens"
    sums = ", ".join(f"SUM(call.{name})" for name in (*_MONEY[:-1], written))
    source = f"{_ended('COUNT(*), ' + sums)} JOIN jobs_call call ON call.job_id = job.id"
    return _read(f"{source} WHERE job.finished_at IS NOT NULL", _PLACE)


def _ended(sums: str) -> str:
    dimensions = ", ".join(f"job.{name} AS {name}" for name in _PLACE[1:])
    return f"SELECT {_quarter('job.finished_at')} AS start, {dimensions}, {sums} FROM jobs_job job"  # noqa: S608


def _bills() -> Rows:
    sums = _SUMS.replace("cost_microusd", "spent_microusd")
    source = f"SELECT {_quarter('created_at')} AS start, project_id, api_key_id, {sums} FROM budgets_ledgerentry"  # noqa: S608
    return _read(f"{source} WHERE kind = 'settle' AND window_id IS NULL", _OWNER)


def _tier(span: int) -> Rows:
    sums = ", ".join(f"SUM({name})" for name in COUNTERS)
    source = f"SELECT start / {DAY} * {DAY} AS start, project_id, api_key_id, {sums} FROM jobs_rollup"  # noqa: S608
    return _read(f"{source} WHERE span = {span // 60}", _OWNER)


def _of_project(table: str, span: int) -> Rows:
    """Roll-ups whatever their key."""
    sums = ", ".join(f"SUM({name})" for name in SUMS)
    return _read(f"SELECT {', '.join(_KIND)}, {sums} FROM {table} WHERE span = {span // 60}", _KIND)  # noqa: S608


def _quarter(column: str) -> str:
    """SQL for the quarter hour that a moment is in."""
    if connection.vendor == "postgresql":
        return f"CAST(FLOOR(EXTRACT(EPOCH FROM {column})) AS BIGINT) / {QUARTER} * {QUARTER}"
    return f"CAST(strftime('%%s', {column}) AS INTEGER) / {QUARTER} * {QUARTER}"


def _read(source: str, place: tuple[str, ...]) -> Rows:
    """Grouped by place and in the order in which Python compares, whatever the database's language."""
    numbers = range(1, len(place) + 1)
    plain = ' COLLATE "C"' if connection.vendor == "postgresql" else ""
    order = [f"{name}{plain if name in _PLACE[3:] else ''}" for name in place]
    grouped = f"SELECT * FROM ({source} GROUP BY {', '.join(map(str, numbers))}) AS found ORDER BY {', '.join(order)}"  # noqa: S608
    with connection.chunked_cursor() as cursor:
        cursor.execute(grouped, [])
        while rows := cursor.fetchmany(CHUNK):
            for row in rows:
                yield tuple(row[: len(place)]), tuple(int(value or 0) for value in row[len(place) :])
