"""Asking the roll-ups: series over time, totals and the largest. The one source for API, admin and dashboard.

Each question takes the same number of queries however much there is: one for the sums, one for the errors, and one for
the names of keys and of projects where it is grouped by them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import add, itemgetter, neg, sub
from typing import Any, Literal, get_args

from django.db import connection

from apps.jobs.rollups import SUMS
from apps.jobs.usage import names, plans, spans
from apps.jobs.usage.figures import COLUMNS, STATUSES, Figures, figures
from apps.jobs.usage.plans import Plan
from apps.jobs.usage.spans import DAY, HOUR, QUARTER, StepName

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
_NUMBER = COLUMNS.index("requests")
_REQUESTS = "CAST(SUM(requests) AS BIGINT)"
MOST_ROWS = 20_000
"""An answer with more is for a narrower question."""
MOST_READ = 3 * MOST_ROWS
"""Of whole days with groups, read for longer steps."""
_TOO_MUCH = f"This would be more than {MOST_ROWS:,} rows; ask for less time, longer steps or fewer groups."
Place = tuple[int, tuple[Any, ...]]
"""The number of a step (0 without steps) and the values of a group."""


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
    borders = [*steps, end]
    found = _ask(scope, plans.of_steps(borders, HOUR if step == "hour" else DAY), group_by, plain=plain)
    if not group_by:
        found = {(number, ()): _NOTHING for number in range(len(steps))} | found
    rows = _rows_of(found, group_by, borders)
    return Series(spans.moment(start), spans.moment(end), tuple(map(spans.moment, steps)), rows)


def totals(
    scope: Scope, *, since: datetime, until: datetime, group_by: Sequence[Dimension] = (), plain: bool = False
) -> tuple[Row, ...]:
    """Usage from the quarter hour of `since` to that of `until`, inclusive, by groups; ungrouped there is one row.

    Raises TooMuch.
    """
    start, end = spans.floor(since, spans.QUARTER), spans.ceiling(until, spans.QUARTER)
    found = _ask(scope, plans.of_total(start, max(start + QUARTER, end)), group_by, plain=plain)
    if not group_by:
        found = found or {(0, ()): _NOTHING}
    return _rows_of(found, group_by, ())


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


def _rows_of(found: Mapping[Place, Figures], group_by: Sequence[Dimension], borders: Sequence[int]) -> tuple[Row, ...]:
    """In order, with names for ids. Without borders there are no steps."""
    known: dict[Dimension, dict[Any, names.Name]] = {}
    for place, dimension in enumerate(group_by):
        values = {group[place] for _, group in found}
        if dimension == "key":
            known[dimension] = names.of_keys(values)
        elif dimension == "project":
            known[dimension] = names.of_projects(values)
        else:
            known[dimension] = {value: names.Name(value, value) for value in values}
    moments = [spans.moment(border) for border in borders]
    rows = []
    for (step, group), each in sorted(found.items(), key=itemgetter(0)):
        named = {dimension: known[dimension][value] for dimension, value in zip(group_by, group, strict=True)}
        rows.append(
            Row(
                starts_at=moments[step] if moments else None,
                ends_at=moments[step + 1] if moments else None,
                group={dimension: name.wire for dimension, name in named.items()},
                labels={dimension: name.label for dimension, name in named.items()},
                figures=each,
            )
        )
    return tuple(rows)


def _ask(scope: Scope, plan: Plan, group_by: Sequence[Dimension], *, plain: bool) -> dict[Place, Figures]:
    columns = [_COLUMN.get(each, each) for each in group_by]
    by_key = scope.key_id is not None or "key" in group_by
    sums: dict[Place, tuple[int, ...]] = {}
    for place, sign, row in _counted(_parts(scope, plan, by_key), columns, _SUMS[plain], plan):
        if place in sums:
            sums[place] = tuple(map(add if sign > 0 else sub, sums[place], row))
        else:
            sums[place] = row if sign > 0 else tuple(map(neg, row))
    found = {place: each for place, each in sums.items() if each[_NUMBER]}
    if len(found) > MOST_ROWS:
        raise TooMuch(_TOO_MUCH)
    if plain:
        return {place: figures(each, {}) for place, each in found.items()}
    errors: dict[Place, Counter[str]] = {}
    failed = [replace(part, where=f"{part.where} AND error_code > ''") for part in _parts(scope, plan, by_key)]
    for (step, group), sign, (number,) in _counted(failed, [*columns, "error_code AS code"], _REQUESTS, plan):
        errors.setdefault((step, group[:-1]), Counter())[group[-1]] += sign * number
    return {place: figures(each, +errors.get(place, Counter())) for place, each in found.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one table and span."""

    span: int
    slot: str
    """SQL for what tells the step."""
    source: str
    where: str
    parameters: Sequence[int | str]


def _parts(scope: Scope, plan: Plan, by_key: bool) -> list[_Part]:
    """What is not folded, what most is read from, and the single hours and quarter hours, in this order."""
    whose, parameters = _whose(scope)
    sums = "jobs_rollup" if by_key else "jobs_projectrollup"

    def part(span: int, slot: str, source: str, when: str, *times: int) -> _Part:
        return _Part(span, slot, source, f"span = {span // 60} AND {when}{whose}", [*times, *parameters])

    between = "start >= %s AND start < %s"
    parts = [
        part(0, f"start / {QUARTER}", "jobs_rollup", between, plan.borders[0], plan.borders[-1]),
        part(plan.tier, f"start / {plan.tier}", sums, between, plan.rounded[0], plan.rounded[-1]),
    ]
    for span, starts in ((HOUR, plan.hours), (QUARTER, plan.quarters)):
        if starts:
            # Whole numbers of our own, written out: SQLite takes no more than 32,766 parameters.
            parts.append(part(span, f"start / {plan.edge}", sums, f"start IN ({', '.join(map(str, starts))})"))
    return parts


def _counted(
    parts: Sequence[_Part], columns: Sequence[str], sums: str, plan: Plan
) -> Iterator[tuple[Place, int, tuple[int, ...]]]:
    """Sums of a group, the step that they count for, and whether they are added or taken away. One query."""
    numbers = ", ".join(str(number + 2) for number in range(1 + len(columns)))
    names = "".join(f", {name}" for name in columns)
    selects = [
        f"SELECT {place}, {part.slot}{names}, {sums} FROM {part.source} WHERE {part.where} GROUP BY {numbers}"  # noqa: S608
        for place, part in enumerate(parts)
    ]
    rows = _rows(
        f"{' UNION ALL '.join(selects)} LIMIT {MOST_READ + 1}", [value for part in parts for value in part.parameters]
    )
    if len(rows) > MOST_READ:
        raise TooMuch(_TOO_MUCH)
    end = 2 + len(columns)
    for row in rows:
        group, values = row[2:end], row[end:]
        if row[0] == 0:
            yield (plan.step_of_moment(row[1] * QUARTER), group), 1, values
        elif row[0] == 1:
            yield (plan.step_of_rollup(row[1] * plan.tier), group), 1, values
        else:
            for step, sign in plan.edges[row[1]]:
                yield (step, group), sign, values


def _whose(scope: Scope) -> tuple[str, list[int | str]]:
    clauses, parameters = "", list[int | str]()
    if scope.projects is not None:
        clauses += f" AND project_id IN ({', '.join(['%s'] * len(scope.projects)) or 'NULL'})"
        parameters += scope.projects
    for column, value in (("api_key_id", scope.key_id), ("model", scope.model), ("kind", scope.kind)):
        if value is not None:
            clauses += f" AND {column} = %s"
            parameters.append(value)
    return clauses, parameters


def _rows(statement: str, parameters: Sequence[int | str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
