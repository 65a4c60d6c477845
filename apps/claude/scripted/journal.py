"""What the scripted model saw and did: one entry per request, newest last, bounded; and running totals."""

import json
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DEFAULT_LIMIT = 1000
_COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@dataclass(slots=True)
class Entry:
    """One request. `usage` is what the real API would bill: of a cut answer only what was sent, of an error nothing."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    time: float = field(default_factory=time.time)
    raw: bytes = b""
    status: int = 0
    usage: dict[str, object] | None = None
    tokens_sent: int = 0
    bytes_sent: int = 0
    disconnected: bool = False
    finished: bool = False
    duration_seconds: float | None = None

    def to_json(self) -> dict[str, object]:
        """The entry as `GET /log` shows it."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name != "raw"}
        return {**shown, "body": _decoded(self.raw)}


class Journal:
    """The entries kept, and the totals of all requests since the start (or the last clear)."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self.clear()

    def clear(self) -> None:
        """Forget all entries and totals; requests that are still being answered stay counted as in flight."""
        self._entries.clear()
        self.requests = self.disconnects = 0
        self._statuses: Counter[int] = Counter()
        self._usage: Counter[str] = Counter()
        self.in_flight = getattr(self, "in_flight", 0)
        self.peak_in_flight = self.in_flight

    def begin(self, method: str, path: str, headers: Mapping[str, str]) -> Entry:
        """A request has arrived."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        entry = Entry(self.requests, method, path, {name.lower(): value for name, value in headers.items()})
        self._entries.append(entry)
        return entry

    def end(self, entry: Entry) -> None:
        """A request is over, one way or the other."""
        self.in_flight -= 1
        self.disconnects += entry.disconnected
        self._statuses[entry.status] += 1
        entry.finished = True
        entry.duration_seconds = time.time() - entry.time
        for name in _COUNTED:
            if entry.usage and isinstance(count := entry.usage.get(name), int):
                self._usage[name] += count

    def entries(self, containing: str = "") -> Iterator[dict[str, object]]:
        """The kept entries whose body contains a text (plain ASCII), oldest first."""
        needle = containing.encode()
        return (entry.to_json() for entry in self._entries if needle in entry.raw)

    def stats(self) -> dict[str, object]:
        """Totals: requests by status, tokens by kind, how many at once, and this process's CPU seconds."""
        return {
            "requests": self.requests,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "disconnects": self.disconnects,
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "usage": {name: self._usage[name] for name in _COUNTED},
            "cpu_seconds": time.process_time(),
        }


def _decoded(raw: bytes) -> object:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode("utf-8", "replace")
