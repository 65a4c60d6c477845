"""Which roll-ups add up to the steps of a question. Pure; moments are Unix seconds.

The days of a zone are those of UTC moved by some hours. So a local day is the day of UTC that begins nearest to it,
without what is not its own and with what it lacks: the roll-ups of days are read, and of hours and quarter hours only
those between a border of the steps and the nearest midnight of UTC, once for the steps on both its sides.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.jobs.usage.spans import DAY, HOUR, QUARTER, cover

Share = tuple[int, int]
"""The number of a step, and whether something is added to it (1) or taken from it (-1)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read, and which step it counts for."""

    borders: Sequence[int]
    """The beginning of every step, and the end of the last."""
    tier: int
    """The span of the roll-ups that most is read from."""
    rounded: Sequence[int]
    """The borders, each moved to the nearest multiple of the tier."""
    hours: Sequence[int]
    """Roll-ups of these single hours are read too."""
    quarters: Sequence[int]
    edges: Mapping[int, Sequence[Share]]
    """What these single ones count for, by their `edge`."""

    @property
    def edge(self) -> int:
        """Single hours and quarters in the same so many seconds are of the same border."""
        return self.tier // 2

    def step_of_moment(self, moment: int) -> int:
        """The step that a moment is in."""
        return bisect_right(self.borders, moment) - 1

    def step_of_rollup(self, start: int) -> int:
        """The step that a roll-up of the tier counts for."""
        return bisect_right(self.rounded, start) - 1


def of_steps(borders: Sequence[int], tier: int) -> Plan:
    """For steps that are no shorter than the tier, but for the hour in which clocks change."""
    rounded = [(border + tier // 2) // tier * tier for border in borders]
    singles: dict[int, list[int]] = {HOUR: [], QUARTER: []}
    edges: dict[int, list[Share]] = {}
    for number, (border, near) in enumerate(zip(borders, rounded, strict=True)):
        if border == near:
            continue
        # Of what lies behind the rounded border the roll-ups have given the later step what is the earlier one's.
        sign = 1 if border > near else -1
        start, end = sorted((border, near))
        shares = [(step, each) for step, each in ((number - 1, sign), (number, -sign)) if 0 <= step < len(borders) - 1]
        edges.setdefault(start // (tier // 2), []).extend(shares)
        for each in cover(start, end, tier - 1):
            singles[each.span] += range(each.start, each.end, each.span)
    return Plan(borders, tier, rounded, singles[HOUR], singles[QUARTER], edges)


def of_total(start: int, end: int) -> Plan:
    """For one stretch of time, however short."""
    singles: dict[int, list[int]] = {HOUR: [], QUARTER: []}
    whole = [0, 0]
    for each in cover(start, end, DAY):
        if each.span == DAY:
            whole = [each.start, each.end]
        else:
            singles[each.span] += range(each.start, each.end, each.span)
    edges = {each // (DAY // 2): [(0, 1)] for each in (*singles[HOUR], *singles[QUARTER])}
    return Plan([start, end], DAY, whole, singles[HOUR], singles[QUARTER], edges)
