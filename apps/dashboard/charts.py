"""Usage as charts and their tables. Pure: a chart is data for the browser, and the same rows as a table without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.dashboard import figures, palette
from apps.jobs.usage import Figures, Row, Series

Unit = Literal["usd", "count", "seconds"]
MOST_SERIES = 6


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that charts show."""

    name: str
    title: str
    unit: Unit
    of: Callable[[Figures], int]


MEASURES = {
    each.name: each
    for each in (
        Measure("spend", "Spend", "usd", lambda figure: figure.cost_microusd),
        Measure("tokens", "Tokens", "count", lambda figure: figure.total_tokens),
        Measure("requests", "Requests", "count", lambda figure: figure.requests),
    )
}


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart. `colour`: 1 to 6 of the ramp, 0 for the rest."""

    name: str
    colour: int
    values: Sequence[float | None]

    @property
    def total(self) -> float:
        """Over all steps."""
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over steps of time; bars stand on each other."""

    name: str
    title: str
    unit: Unit
    kind: Literal["bars", "lines"]
    steps: Sequence[datetime]
    ends_at: datetime
    lines: Sequence[Line]
    now: datetime
    before: Sequence[float | None] = field(default_factory=tuple)
    """The sums of the period before, step by step."""

    @property
    def script_id(self) -> str:
        """Where the page keeps its data."""
        return f"chart-{self.name}"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for line in self.lines for value in line.values)

    @property
    def hourly(self) -> bool:
        """Whether a step is an hour."""
        return len(self.steps) > 1 and (self.steps[1] - self.steps[0]).total_seconds() < 7200

    def data(self) -> dict[str, Any]:
        """For the browser. Money in micro-dollars, times in seconds."""
        return {
            "unit": self.unit,
            "kind": self.kind,
            "x": [int(step.timestamp()) for step in self.steps],
            "end": int(self.ends_at.timestamp()),
            "now": int(self.now.timestamp()),
            "lines": [{"name": line.name, "colour": line.colour, "values": list(line.values)} for line in self.lines],
            "before": list(self.before),
        }

    def table(self) -> list[tuple[str, list[str], str]]:
        """A row for each step, newest first: its time, each value, and the sum where there is one."""
        rows = []
        for number, step in reversed(list(enumerate(self.steps))):
            values = [line.values[number] for line in self.lines]
            total = self.word(sum(value or 0 for value in values)) if self.kind == "bars" else ""
            rows.append(
                (f"{step:%Y-%m-%d %H:%M}" if self.hourly else f"{step:%Y-%m-%d}", list(map(self.word, values)), total)
            )
        return rows

    def word(self, value: float | None) -> str:
        """A value as the table shows it: exact."""
        if value is None:
            return "–"
        if self.unit == "usd":
            return figures.exact_money(round(value)) if value else "$0"
        return f"{value:,.0f}" if self.unit == "count" else figures.duration(value)


def stacked(
    measure: Measure,
    found: Series,
    *,
    by: str,
    now: datetime,
    title: str = "",
    before: Series | None = None,
) -> Chart:
    """Bars by group: the largest have a colour, what is left is one bar."""
    sums: dict[str, int] = {}
    labels: dict[str, str] = {}
    for row in found.rows:
        value = row.group[by]
        sums[value] = sums.get(value, 0) + measure.of(row.figures)
        labels[value] = palette.name_of(row.labels[by]) if by == "model" else row.labels[by] or value
    order = sorted((value for value in sums if sums[value]), key=lambda value: (-sums[value], value))
    colours = palette.spread(order)
    if by == "model":
        colours = {value: palette.of_model(value) for value in order}
    own = [value for value in order if colours[value]][:MOST_SERIES]
    place = {step: number for number, step in enumerate(found.steps)}
    values: dict[str, list[float | None]] = {name: [0] * len(place) for name in own}
    rest: list[float | None] = [0] * len(place)
    for row in found.rows:
        assert row.starts_at is not None  # a series has steps
        line = values.get(row.group[by], rest)
        number = place[row.starts_at]
        line[number] = (line[number] or 0) + measure.of(row.figures)
    lines = [Line(labels[value], colours[value], values[value]) for value in own]
    if any(rest):
        lines.append(Line("Others", palette.REST, rest))
    earlier = [measure.of(row.figures) for row in before.rows] if before else []
    return Chart(
        name=measure.name,
        title=title or measure.title,
        unit=measure.unit,
        kind="bars",
        steps=found.steps,
        ends_at=found.until,
        lines=lines,
        now=now,
        before=earlier[: len(place)],
    )


def latency(found: Series, *, now: datetime) -> Chart:
    """The time to the first token: half of the requests, and all but one in twenty. Gaps are gaps."""
    lines = [
        Line("Half wait at most", 1, [row.figures.first_token.p50_seconds for row in found.rows]),
        Line("19 of 20 wait at most", 2, [row.figures.first_token.p95_seconds for row in found.rows]),
    ]
    return Chart("latency", "First token", "seconds", "lines", found.steps, found.until, lines, now)


def outcomes(found: Series, *, now: datetime) -> Chart:
    """Requests by how they ended."""
    named = (
        ("Completed", 1, "completed"),
        ("Failed", 5, "failed"),
        ("Cancelled", 0, "cancelled"),
        ("Refused", 2, "refused"),
    )
    lines = [Line(title, colour, [getattr(row.figures, name) for row in found.rows]) for title, colour, name in named]
    kept = [line for line in lines if any(line.values)]
    return Chart("outcomes", "Requests by outcome", "count", "bars", found.steps, found.until, kept, now)


def spark(rows: Sequence[Row], of: Callable[[Figures], float | None]) -> tuple[str, str]:
    """A line and the area below it as SVG paths in a box of 100 by 24; empty where nothing happened."""
    return spark_of([of(row.figures) or 0 for row in rows])


def spark_of(values: Sequence[float]) -> tuple[str, str]:
    """The same of mere values."""
    most = max(values, default=0)
    if not most or len(values) < 2:
        return "", ""
    points = [(100 * n / (len(values) - 1), 23 - 22 * value / most) for n, value in enumerate(values)]
    line = " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))
    return line, f"{line} L100 24 L0 24 Z"
