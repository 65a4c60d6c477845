"""What a follower of a job is told, in the one form that stream, database and interfaces share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

TERMINAL = frozenset({"done", "error"})
"""The last event of a job is of one of these types, and only the last."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Sequence numbers of a job run 1, 2, … N without a gap; N is its only terminal event.

    Data: `started` {model}; `token`, `thinking` {text}; `signature` {signature} of the thinking before it; `tool_use`
    {id, name, input, parent_id}, where an input of null follows in `tool_input` {id, partial_json}; `tool_result` {id,
    content, is_error, parent_id}; `denied` {id, name, input, reason, parent_id}; `approval` {id, name, input,
    expires_at, parent_id}; `approval_decided` {id, decision, by}; `network` {id, host, port, address, allowed, reason,
    sent_bytes, received_bytes, seconds} once a connection is over or refused; `done` the job object, and so has
    `error`, with its `error` set.
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
