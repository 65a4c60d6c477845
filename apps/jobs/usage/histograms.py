"""How long things took, counted in buckets that grow by √2, and the percentiles read off them. Pure.

Bucket n holds what took at most 8 ms · √2ⁿ, the last one everything longer than an hour. A percentile lies in its true
bucket and is interpolated there on a logarithmic scale: never wrong by more than 42 per cent, in practice by a few.

A column of the roll-ups counts for two buckets, the even one in its lower 32 bits: sums of columns are then sums of
both, and half as many columns are summed. It carries over only after two thousand million requests in one answer.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from apps.jobs.rollups import COLUMNS_PER_TIMING

FIRST_MS = 8
_UPPER = 1 << 32
_BOUNDS_MS = [FIRST_MS * 2 ** (number / 2) for number in range(2 * COLUMNS_PER_TIMING - 1)]
BOUNDS_SECONDS = [float(f"{bound / 1000:.4g}") for bound in _BOUNDS_MS]
"""The most that each bucket holds; the last bucket, which holds everything longer, has none."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How long some requests took, in seconds; None where there were none."""

    count: int
    mean_seconds: float | None
    p50_seconds: float | None
    p90_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    sum_seconds: float = 0.0
    buckets: tuple[int, ...] = ()
    """How many in each; empty where there were none."""


def counted(milliseconds: int) -> tuple[int, int]:
    """The column that counts this, and what it adds there."""
    bucket = bisect_left(_BOUNDS_MS, milliseconds)
    return bucket // 2, _UPPER if bucket % 2 else 1


def spread(columns: Sequence[int], sum_ms: int) -> Spread:
    """What the sums of all columns of a timing, and the sum of the times themselves, come to."""
    counts = [count for column in columns for count in (column % _UPPER, column // _UPPER)]
    count = sum(counts)
    if not count:
        return Spread(0, None, None, None, None, None)
    p50, p90, p95, p99 = (_percentile(counts, count, percent) for percent in (50, 90, 95, 99))
    return Spread(count, round(sum_ms / count / 1000, 4), p50, p90, p95, p99, sum_ms / 1000, tuple(counts))


def _percentile(counts: Sequence[int], count: int, percent: int) -> float:
    rank, below, bucket = count * percent / 100, 0, 0
    while below + counts[bucket] < rank:
        below += counts[bucket]
        bucket += 1
    inside = (rank - below) / counts[bucket]
    return float(f"{FIRST_MS * 2 ** ((bucket - 1 + inside) / 2) / 1000:.4g}")
