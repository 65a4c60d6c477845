"""A table of figures, each with what was asked of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Report:
    """Rows of name, figure, target and verdict."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, name: str, figure: str, target: str = "", ok: bool | None = None) -> None:
        """One row, printed at once."""
        verdict = "" if ok is None else "met" if ok else "MISSED"
        self.rows.append((name, figure, target, verdict))
        print(f"  {name}: {figure}{f'  (asked: {target})' if target else ''} {verdict}", flush=True)

    def markdown(self) -> str:
        """The whole table."""
        lines = ["| what | figure | asked | |", "|---|---|---|---|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` per cent of the values do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def ms(seconds: float) -> str:
    """Milliseconds."""
    return f"{seconds * 1000:.0f} ms"
