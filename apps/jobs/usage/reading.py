"""Asking the roll-ups: series over time, totals and the largest. The one source for API, admin and dashboard.

Each question takes the same number of queries however much there is: one for the sums, one for the errors, and one for
the names of keys and of projects where it is grouped by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import add, itemgetter
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from django.db import connection

from apps.jobs.rollups import SUMS
from apps.jobs.usage import names, spans
from apps.jobs.usage.figures import COLUMNS, STATUSES, Figures, figures
from apps.jobs.usage.spans import StepName, Stretch

Dimension = Literal["project", "key", "model", "kind", "status", "error_code"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Measure = Literal["cost_microusd", "requests", "input_tokens", "output_tokens", "saved_microusd"]
_COLUMN: Mapping[Dimension, str] = {"project": "project_id", "key": "api_key_id"}
_BY_STATUS = [f"SUM(CASE WHEN status = '{status}' THEN requests ELSE 0 END)" for status in STATUSES]
_PLAIN = ("requests", "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_MONEY = ("cost_microusd", "saved_microusd")


def _summed(names: Sequence[str]) -> str:
    """Sums of these columns, and 0 for the others: of eighty, most are buckets of histograms."""
    sums = [*_BY_STATUS, *(f"SUM({name})" if name in names else "0" for name in SUMS)]
    return ", ".join(f"CAST({each} AS BIGINT)" for each in sums)


_SUMS = {False: _summed(SUMS), True: _summed((*_PLAIN, *_MONEY))}
MOST_ROWS = 20_000
"""An answer with more is for a narrower question."""
Key = tuple[int, tuple[Any, ...]]
"""A step's beginning (Unix seconds; 0 without steps) and the values of a group."""


class TooMuch(ValueError):
    """The answer would have more than MOST_ROWS rows."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose usage: of these projects (None: of all), narrowed to a key, model or kind."""

    projects: Sequence[int] | None
    key_id: int | None = None
    model: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one group in one step."""

    starts_at: datetime | None
    """The beginning of the step, in UTC; None without steps."""
    ends_at: datetime | None
    group: Mapping[str, str]
    """By dimension; a project's slug, a key's public id."""
    labels: Mapping[str, str]
    """The same for people: a key's name."""
    figures: Figures


@dataclass(frozen=True, slots=True)
class Series:
    """Rows by step, then group, over what was really asked: whole steps, or quarter hours without them."""

    since: datetime
    until: datetime
    steps: tuple[datetime, ...]
    rows: tuple[Row, ...]


def series(
    scope: Scope,
    *,
    since: datetime,
    until: datetime,
    step: StepName = "day",
    group_by: Sequence[Dimension] = (),
    tz: str = "UTC",
    plain: bool = False,
) -> Series:
    """Usage by steps of local time, widened to whole steps. Without groups each step has a row, empty ones too.

    `plain` asks for statuses, tokens and money only, at a quarter of the price; everything else is then 0.

    Requests count where they ended. Raises TooMuch, and ValueError for an unknown time zone.
    """
    zone = spans.zone_of(tz)
    start, end = spans.widen(since, until, step, zone)
    pieces = spans.stretches(zone, start, end)
    steps = list(spans.starts(pieces, step, zone))
    found = _ask(scope, pieces, step, group_by, zone, plain=plain)
    if not group_by:
        found = {(moment, ()): _NOTHING for moment in steps} | found
    ends = dict(zip(steps, [*steps[1:], end], strict=True))
    rows = _rows_of(found, group_by, ends)
    return Series(spans.moment(start), spans.moment(end), tuple(map(spans.moment, steps)), rows)


def totals(
    scope: Scope, *, since: datetime, until: datetime, group_by: Sequence[Dimension] = (), plain: bool = False
) -> tuple[Row, ...]:
    """Usage from the quarter hour of `since` to that of `until`, inclusive, by groups; ungrouped there is one row.

    Raises TooMuch.
    """
    start, end = spans.floor(since, spans.QUARTER), spans.ceiling(until, spans.QUARTER)
    found = _ask(
        scope, [Stretch(start, max(start + spans.QUARTER, end), 0)], None, group_by, ZoneInfo("UTC"), plain=plain
    )
    if not group_by:
        found = found or {(0, ()): _NOTHING}
    return _rows_of(found, group_by, {})


def quarters(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """What `totals` of these covers."""
    return spans.moment(spans.floor(since, spans.QUARTER)), spans.moment(spans.ceiling(until, spans.QUARTER))


def top(
    scope: Scope,
    *,
    since: datetime,
    until: datetime,
    by: Dimension,
    measure: Measure = "cost_microusd",
    limit: int = 10,
) -> tuple[Row, ...]:
    """The groups with the most of a measure, largest first."""
    rows = totals(scope, since=since, until=until, group_by=[by])
    return tuple(sorted(rows, key=lambda row: -getattr(row.figures, measure))[:limit])


_NOTHING = figures([0] * len(COLUMNS), {})


def _rows_of(found: Mapping[Key, Figures], group_by: Sequence[Dimension], ends: Mapping[int, int]) -> tuple[Row, ...]:
    """In order, with names for ids. `ends` has the end of each step."""
    known: dict[Dimension, dict[Any, names.Name]] = {}
    for place, dimension in enumerate(group_by):
        values = {group[place] for _, group in found}
        if dimension == "key":
            known[dimension] = names.of_keys(values)
        elif dimension == "project":
            known[dimension] = names.of_projects(values)
        else:
            known[dimension] = {value: names.Name(value, value) for value in values}
    rows = []
    for (moment, group), each in sorted(found.items(), key=itemgetter(0)):
        named = {dimension: known[dimension][value] for dimension, value in zip(group_by, group, strict=True)}
        rows.append(
            Row(
                starts_at=spans.moment(moment) if ends else None,
                ends_at=spans.moment(ends[moment]) if ends else None,
                group={dimension: name.wire for dimension, name in named.items()},
                labels={dimension: name.label for dimension, name in named.items()},
                figures=each,
            )
        )
    return tuple(rows)


def _ask(
    scope: Scope,
    pieces: Sequence[Stretch],
    step: StepName | None,
    group_by: Sequence[Dimension],
    zone: ZoneInfo,
    *,
    plain: bool,
) -> dict[Key, Figures]:
    where, parameters = _where(scope, pieces, step)
    columns = [_COLUMN.get(each, each) for each in group_by]
    grouped = ", ".join([f"{_step(pieces, step)} AS step", *columns])
    numbers = ", ".join(str(number + 1) for number in range(1 + len(columns)))
    sums: dict[Key, list[int]] = {}
    question = (
        f"SELECT {grouped}, {_SUMS[plain]} FROM jobs_rollup WHERE {where} GROUP BY {numbers} LIMIT {MOST_ROWS + 1}"  # noqa: S608
    )
    found = _rows(question, parameters)
    if len(found) > MOST_ROWS:
        raise TooMuch(f"This would be more than {MOST_ROWS:,} rows; ask for less time, longer steps or fewer groups.")
    for row in found:
        key = (_begins(row[0], pieces, step, zone), tuple(row[1 : 1 + len(columns)]))
        here = row[1 + len(columns) :]
        sums[key] = list(map(add, sums[key], here)) if key in sums else list(here)
    errors: dict[Key, dict[str, int]] = {}
    if plain:
        return {key: figures(each, {}) for key, each in sums.items()}
    counted = f"SELECT {grouped}, error_code AS code, CAST(SUM(requests) AS BIGINT) FROM jobs_rollup"  # noqa: S608
    for row in _rows(f"{counted} WHERE {where} AND error_code <> '' GROUP BY {numbers}, code", parameters):
        key = (_begins(row[0], pieces, step, zone), tuple(row[1 : 1 + len(columns)]))
        codes = errors.setdefault(key, {})
        codes[row[-2]] = codes.get(row[-2], 0) + row[-1]
    return {key: figures(each, errors.get(key, {})) for key, each in sums.items()}


def _where(scope: Scope, pieces: Sequence[Stretch], step: StepName | None) -> tuple[str, list[int | str]]:
    start, end = pieces[0].start, pieces[-1].end
    ranges = [(0, start, end)]
    ranges += [
        (each.span // 60, each.start, each.end) for each in spans.cover(start, end, spans.coarsest(pieces, step))
    ]
    clauses = ["(" + " OR ".join(["span = %s AND start >= %s AND start < %s"] * len(ranges)) + ")"]
    parameters: list[int | str] = [value for each in ranges for value in each]
    if scope.projects is not None:
        clauses.append(f"project_id IN ({', '.join(['%s'] * len(scope.projects)) or 'NULL'})")
        parameters += scope.projects
    for column, value in (("api_key_id", scope.key_id), ("model", scope.model), ("kind", scope.kind)):
        if value is not None:
            clauses.append(f"{column} = %s")
            parameters.append(value)
    return " AND ".join(clauses), parameters


def _step(pieces: Sequence[Stretch], step: StepName | None) -> str:
    """SQL for the step a row is in: the beginning of a local hour, or the number of a local day. Whole numbers only."""
    if step is None:
        return "0"
    if step == "hour":
        each = [f"start - (start + {int(piece.offset)}) %% {spans.HOUR}" for piece in pieces]
    else:
        each = [f"(start + {int(piece.offset)}) / {spans.DAY}" for piece in pieces]
    if len(each) == 1:
        return each[0]
    cases = [f"WHEN start < {int(piece.end)} THEN {sql}" for piece, sql in zip(pieces, each, strict=True)]
    return f"CASE {' '.join(cases)} END"


def _begins(value: int, pieces: Sequence[Stretch], step: StepName | None, zone: ZoneInfo) -> int:
    """The beginning of the step that SQL has named."""
    if step is None:
        return 0
    if step == "hour":
        return max(value, next(piece.start for piece in reversed(pieces) if piece.start <= value + spans.HOUR - 1))
    return spans.day_start(spans.step_of(spans.day_number(value), step), zone)


def _rows(statement: str, parameters: Sequence[int | str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
