"""What a task did, step by step: calls, denials, and whose calls the money went to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.claude.network.connection import Connection
from apps.claude.spec import Call, Denied
from apps.claude.tasks import gate
from apps.claude.tasks.frames import Called, Returned, Spoke

NETWORK = "network"
"""In the place of a tool's name, for connections."""


@dataclass(slots=True)
class StepLog:
    """Fed with the CLI's frames in their order."""

    reasons: dict[str, str] = field(default_factory=dict)
    """Why we denied a call, by its id."""
    denials: list[Denied] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    """Calls without a result so far."""
    _calls: dict[str, Called] = field(default_factory=dict)
    _speakers: dict[str, str | None] = field(default_factory=dict)
    _asked_by: dict[str, list[str]] = field(default_factory=dict)

    @property
    def turns(self) -> int:
        """Answers of the task's own model so far."""
        return sum(parent is None for parent in self._speakers.values())

    def spoke(self, frame: Spoke) -> None:
        """An answer of the model, or of a subagent."""
        self._speakers[frame.message_id] = frame.parent_id

    def called(self, frame: Called) -> None:
        """The model asked for a tool."""
        self._calls[frame.id] = frame
        self.pending.add(frame.id)
        self._asked_by.setdefault(frame.message_id, []).append(frame.id)

    def returned(self, frame: Returned) -> Denied | None:
        """A call is over; the denial where it was not let through."""
        self.pending.discard(frame.id)
        call = self._calls.get(frame.id)
        reason = self.reasons.get(frame.id)
        if call is None or (reason is None and not frame.denied):
            return None
        denied = Denied(call.id, call.name, call.input, reason or frame.content, call.parent_id)
        self.denials.append(denied)
        return denied

    def connected(self, connection: Connection) -> None:
        """A connection to the network is over; where it was not let through that is a denial too."""
        if not connection.allowed:
            facts = {"host": connection.host, "port": connection.port, "address": connection.address}
            self.denials.append(Denied(connection.id, NETWORK, facts, connection.reason or ""))

    def tools_used(self) -> tuple[str, ...]:
        """Names of the tools that ran, in the order of first use."""
        denied = {denial.id for denial in self.denials}
        return tuple(dict.fromkeys(call.name for call in self._calls.values() if call.id not in denied))

    def attribution(self, billed: Iterable[tuple[str, Call]]) -> dict[str, int]:
        """Micro-dollars by ref, from calls with the upstream's message id.

        A subagent's calls are its agent's. A call of the task itself that asks for tools is split evenly among them;
        the rest (the first question's and the last answer's words) is nobody's.
        """
        spent: dict[str, int] = {}
        for message_id, call in billed:
            refs = self._refs(message_id)
            for ref in refs:
                spent[ref] = spent.get(ref, 0) + call.cost_microusd // len(refs)
        return spent

    def _refs(self, message_id: str) -> list[str]:
        starter = self._calls.get(self._speakers.get(message_id) or "")
        if starter is not None:
            return [gate.ref(starter.name, starter.input)]
        asked = [self._calls[call_id] for call_id in self._asked_by.get(message_id, ())]
        return [gate.ref(call.name, call.input) for call in asked]
