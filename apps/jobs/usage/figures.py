"""Usage figures as values: what a group of requests came to. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.jobs.rollups import COLUMNS_PER_TIMING, COUNTERS, SUMS, TIMINGS
from apps.jobs.usage.histograms import Spread, spread

STATUSES = ("completed", "failed", "cancelled", "refused")
COLUMNS = (*STATUSES, *SUMS)
"""What a query sums, in its order."""
_COUNTED = [name for name in (*STATUSES, *COUNTERS) if not name.endswith("_ms")]
_TIMINGS = {timing: (COLUMNS.index(f"{timing}_00"), COLUMNS.index(f"{timing}_ms")) for timing in TIMINGS}
"""Where the histogram of each begins, and where the sum of the times themselves is."""
TOLERANCE = 0.01
"""Two cost figures that differ by more than this, and by more than rounding, have drifted apart."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a group of requests came to. `cost_microusd` is the bill: what was metered at the egress."""

    requests: int
    """All that ended: the four that follow together."""
    completed: int
    failed: int
    cancelled: int
    refused: int
    """Never became a job: the key may not, or its budgets cannot."""
    errors: Mapping[str, int]
    """Requests by error code."""
    calls: int
    estimated: int
    """Requests whose usage had to be estimated, since an answer was cut."""
    unpriced: int
    """Calls of models without a known price: their cost is 0 and wrong."""
    input_tokens: int
    """Neither read from nor written to a cache."""
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    cost_microusd: int
    saved_microusd: int
    """What cached reads would have cost more as fresh input."""
    table_microusd: int
    """The metered tokens at the price table of their day."""
    cli_requests: int
    """Requests of which the CLI itself said what they cost."""
    cli_microusd: int
    """What it said."""
    cli_metered_microusd: int
    """What was metered for the same requests."""
    sums: Sequence[int]
    """What all this was made of, `COLUMNS`. Percentiles are read off it when somebody asks: a chart has thousands of
    rows, and most of them want money only."""

    @property
    def latency(self) -> Spread:
        """From submission to the end, of completed requests."""
        return self._spread("latency")

    @property
    def first_token(self) -> Spread:
        """From submission to the first token."""
        return self._spread("first_token")

    @property
    def queue_wait(self) -> Spread:
        """From submission to the moment a worker took it."""
        return self._spread("queue_wait")

    def _spread(self, timing: str) -> Spread:
        start, total = _TIMINGS[timing]
        return spread(self.sums[start : start + COLUMNS_PER_TIMING], self.sums[total])

    @property
    def total_tokens(self) -> int:
        """All four kinds."""
        return self.prompt_tokens + self.output_tokens

    @property
    def prompt_tokens(self) -> int:
        """Everything that was read by the models."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens

    @property
    def cache_hit_rate(self) -> float | None:
        """The share of prompt tokens that came from a cache; None where there were none."""
        return round(self.cache_read_input_tokens / self.prompt_tokens, 4) if self.prompt_tokens else None

    @property
    def drifts(self) -> tuple[str, ...]:
        """Which of `cli` and `table` disagree with what was metered."""
        pairs = {
            "cli": (self.cli_metered_microusd, self.cli_microusd),
            "table": (self.cost_microusd, self.table_microusd),
        }
        return tuple(name for name, (ours, theirs) in pairs.items() if drifted(ours, theirs, calls=self.calls))


def together(parts: Iterable[Figures]) -> Figures:
    """The sum of figures that share no request."""
    sums: list[Sequence[int]] = [[0] * len(COLUMNS)]
    errors = Counter[str]()
    for part in parts:
        sums.append(part.sums)
        errors.update(part.errors)
    return figures([*map(sum, zip(*sums, strict=True))], errors)


def drifted(metered_microusd: int, other_microusd: int, *, calls: int) -> bool:
    """Whether two sums differ by more than the tolerance and more than the rounding of so many calls."""
    difference = abs(metered_microusd - other_microusd)
    return difference > max(TOLERANCE * max(metered_microusd, other_microusd), calls)


def figures(sums: Sequence[int], errors: Mapping[str, int]) -> Figures:
    """From the sums of `COLUMNS`."""
    return Figures(errors=errors, sums=sums, **dict(zip(_COUNTED, sums, strict=False)))
