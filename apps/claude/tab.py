"""The tab of one run: what it may spend, the calls it made, and how the upstream failed it."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.claude.metering import Meter
from apps.claude.spec import Call, Metered, RunSpec

CHECKPOINT_SECONDS = 0.2
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that was refused, by the upstream or by us, and would be refused the same way again."""

    status: int
    body: bytes
    retry_after_seconds: float | None = None

    @property
    def type(self) -> str:
        """The Messages API's error type."""
        try:
            return str(json.loads(self.body)["error"]["type"])
        except (ValueError, KeyError, TypeError):
            return "api_error"

    @property
    def message(self) -> str:
        """The sentence in the error body."""
        try:
            return str(json.loads(self.body)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace")[:500] or f"the upstream answered {self.status}"

    @classmethod
    def in_stream(cls, event: bytes) -> "Failure":
        """The failure that an error event in the middle of an answer tells; it carries a type but no status."""
        failure = cls(500, event)
        return cls(_STATUS_OF_TYPE.get(failure.type, 500), event)

    @classmethod
    def of(cls, status: int, kind: str, message: str) -> "Failure":
        """A refusal of our own in the Messages API's shape."""
        error = {"type": "error", "error": {"type": kind, "message": message}}
        return cls(status, json.dumps(error).encode())


@dataclass(slots=True)
class Bill:
    """What a run may spend, what it has, and how it was refused. Every call of it is on here."""

    cap_microusd: int
    emit: Callable[[Metered], None]
    earlier: tuple[Call, ...] = ()
    """Calls of a chat's first answer, where this is its second."""
    meters: list[Meter] = field(default_factory=list)
    failure: Failure | None = None
    short_of_money: bool = False
    """The answer was given fewer tokens than the client asked for, because the cap carries no more."""
    overhead_tokens: int = 0
    """What of the prompt was not the client's."""
    closed: bool = False
    last_heard: float = field(default_factory=time.monotonic)
    _checkpoint_at: float = 0.0

    def open_call(self, model: str, prompt_bytes: int) -> Meter:
        """Begin to meter a call; it is on record before the upstream hears of it."""
        meter = Meter(uuid.uuid4().hex, model, prompt_bytes)
        self.meters.append(meter)
        self.checkpoint(meter, now=True)
        return meter

    def checkpoint(self, meter: Meter, *, now: bool = False) -> None:
        """Put the call's state on record if the last time was long ago, or at once."""
        self.last_heard = time.monotonic()
        if now or self.last_heard - self._checkpoint_at >= CHECKPOINT_SECONDS:
            self._checkpoint_at = self.last_heard
            self.emit(Metered(meter.call()))

    def calls(self) -> tuple[Call, ...]:
        """All calls of the run as they stand."""
        return (*self.earlier, *(meter.call() for meter in self.meters))

    def remaining_microusd(self) -> int:
        """What the run may still spend."""
        return self.cap_microusd - sum(call.cost_microusd for call in self.calls())

    def refuse(self, status: int, kind: str, message: str) -> Failure:
        """Remember and return a refusal of our own."""
        self.failure = Failure.of(status, kind, message)
        return self.failure


class Tab(Bill):
    """A chat's: open from the moment it gets its process until its calls are billed."""

    __slots__ = ("mismatch", "spec")

    def __init__(self, spec: RunSpec, emit: Callable[[Metered], None], earlier: tuple[Call, ...] = ()) -> None:
        super().__init__(spec.cap_microusd, emit, earlier)
        self.spec = spec
        self.mismatch: str | None = None
        """Why the CLI's request could not be trusted, where it could not."""

    @property
    def answered(self) -> bool:
        """Whether a call was made already: an answer takes one, what the CLI asks after it is not ours to pay."""
        return bool(self.meters) or self.failure is not None
