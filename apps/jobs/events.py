"""What a follower of a job is told, in the one form that stream, database and interfaces share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

TERMINAL = frozenset({"done", "error"})
"""The last event of a job is of one of these types, and only the last."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Sequence numbers of a job run 1, 2, … N without a gap; N is its only terminal event.

    `started` has {model}, `token` and `thinking` have {text}, `done` has the job object, so has `error` with its
    `error` set.
    """

    sequence_number: int
    type: str
    data: dict[str, object]

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after this one."""
        return self.type in TERMINAL


def dumps(value: object) -> str:
    """Compact JSON in pure ASCII: NUL and lone surrogates of a hostile text survive every store."""
    return json.dumps(value, separators=(",", ":"))


def after(events: Sequence[Event], sequence_number: int) -> Sequence[Event]:
    """The events with a higher number. `events` has no gaps, but need not begin with 1 (old transcripts are pruned)."""
    if not events:
        return ()
    return events[max(0, sequence_number + 1 - events[0].sequence_number) :]
