"""A job's events as the steps that a reader follows. Pure, and the same whether they come from storage or live.

Text of the model is data: whatever it says is shown as text by whoever renders a step.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from apps.jobs.events import Event

Kind = Literal["text", "thinking", "tool", "agent", "denied", "approval"]
STARTERS = frozenset({"Agent", "Task"})
"""Tools whose use is a subagent at work."""
Data = Mapping[str, object]
SHOWN = 20_000
"""Characters of one input or result that a page shows; the API has all of it."""


_DECIDED = {"once": "Approved once", "job": "Approved for the rest of the job", "deny": "Denied"}


@dataclass(eq=False, slots=True)
class Step:
    """One thing that happened. `anchor` is stable: a later view of the same job names the same step so."""

    anchor: str
    kind: Kind
    title: str = ""
    text: str = ""
    """What was said; of a tool, what went in."""
    result: str | None = None
    is_error: bool = False
    reason: str = ""
    decision: str = ""
    """Of an approval: empty while somebody is waited for."""
    decided_by: str = ""
    expires_at: float | None = None
    tool_use_id: str = ""
    steps: "list[Step]" = field(default_factory=list)
    """What a subagent did."""
    parent: "Step | None" = None
    call: int | None = None
    """Which of the job's turns it belongs to, from 0, those of subagents among them."""
    last_call: int | None = None
    """Of a subagent that has answered: the turn in which it did."""
    cost_microusd: int | None = None
    seconds: float | None = None
    inside_microusd: int | None = None
    """Of a subagent: what all of its turns cost together."""

    @property
    def summary(self) -> str:
        """The input in one line."""
        return summary(self.text)

    @property
    def waits(self) -> bool:
        """Whether somebody has to decide."""
        return self.kind == "approval" and not self.decision

    @property
    def decided(self) -> str:
        """What became of an approval."""
        return _DECIDED.get(self.decision, self.decision)

    @property
    def running(self) -> bool:
        """A tool whose result has not come."""
        return self.kind in ("tool", "agent") and self.result is None


class Timeline:
    """Takes events in their order; afterwards `steps` is the story so far, and `turns` how many turns it took.

    Each turn is one call to the model: a thread (the main one, or a subagent) says something and uses tools, until a
    result comes; a subagent's answer is a turn of its own, which is told as the result of whoever started it.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.steps: list[Step] = []
        self.last = 0
        """The sequence number of the newest event taken."""
        self.ended = False
        self.turns = 0
        self.at_once = False
        """Whether threads ran beside each other: then nobody can tell which turn came when."""
        self._by_id: dict[str, Step] = {}
        self._open: Step | None = None
        self._turn_of: dict[Step | None, int] = {}
        """The turn that each thread is in; none between two."""
        for event in events:
            self.take(event)

    def take(self, event: Event) -> Step | None:
        """Take one event; the step that it made or changed, where a reader has to see one."""
        self.last = event.sequence_number
        self.ended = event.terminal
        reading = {
            "token": self._token,
            "thinking": self._thinking,
            "tool_use": self._tool,
            "tool_input": self._input,
            "tool_result": self._result,
            "denied": self._denied,
            "approval": self._approval,
            "approval_decided": self._decided,
            "network": self._network,
        }.get(event.type)
        return reading(event.data) if reading else None

    def waiting(self) -> list[Step]:
        """Tools that wait for somebody's word."""
        return [step for step in self._by_id.values() if step.waits]

    def _token(self, data: Data) -> Step:
        return self._say("text", str(data.get("text", "")))

    def _thinking(self, data: Data) -> Step:
        return self._say("thinking", str(data.get("text", "")))

    def _say(self, kind: Kind, text: str) -> Step:
        if self._open is None or self._open.kind != kind:
            self._open = self._add(Step(f"s{self.last}", kind), None)
        self._open.text += text
        return self._open

    def _tool(self, data: Data) -> Step:
        name = str(data.get("name", ""))
        kind: Kind = "agent" if name in STARTERS else "tool"
        step = Step(
            f"s{self.last}", kind, title=name, text=_pretty(data.get("input")), tool_use_id=str(data.get("id", ""))
        )
        given = data.get("input")
        if kind == "agent" and isinstance(given, dict):
            step.title = str(given.get("subagent_type") or given.get("agent") or name)
        self._add(step, data.get("parent_id"))
        self._by_id[f"tool:{step.tool_use_id}"] = step
        return step

    def _input(self, data: Data) -> Step | None:
        step = self._by_id.get(f"tool:{data.get('id')}")
        if step is not None:
            step.text += str(data.get("partial_json", ""))
        return step

    def _result(self, data: Data) -> Step | None:
        step = self._by_id.get(f"tool:{data.get('id')}")
        if step is None:
            return None
        step.result, step.is_error = _readable(data.get("content")), bool(data.get("is_error"))
        self._turn_of.pop(step.parent, None)
        if step.kind == "agent":
            self._turn_of.pop(step, None)
            step.last_call = self._new_turn(step)
        return step

    def _denied(self, data: Data) -> Step:
        step = Step(
            f"s{self.last}",
            "denied",
            title=str(data.get("name", "")),
            text=_pretty(data.get("input")),
            reason=str(data.get("reason", "")),
            tool_use_id=str(data.get("id", "")),
        )
        return self._add(step, data.get("parent_id"))

    def _approval(self, data: Data) -> Step:
        expires = data.get("expires_at")
        step = Step(
            f"s{self.last}",
            "approval",
            title=str(data.get("name", "")),
            text=_pretty(data.get("input")),
            tool_use_id=str(data.get("id", "")),
            expires_at=float(expires) if isinstance(expires, int | float) else None,
        )
        self._by_id[f"approval:{step.tool_use_id}"] = step
        return self._add(step, data.get("parent_id"))

    def _decided(self, data: Data) -> Step | None:
        step = self._by_id.get(f"approval:{data.get('id')}")
        if step is not None:
            step.decision, step.decided_by = str(data.get("decision", "")), str(data.get("by", ""))
        return step

    def _network(self, data: Data) -> Step | None:
        """A refused connection; the others are told by the tools that made them."""
        if data.get("allowed"):
            return None
        place = {name: data.get(name) for name in ("host", "port", "address")}
        reason = str(data.get("reason", ""))
        step = Step(f"s{self.last}", "denied", title="connection", text=_pretty(place), reason=reason)
        step.call = max(0, self.turns - 1)
        self._open = None
        self.steps.append(step)
        return step

    def _add(self, step: Step, parent_id: object) -> Step:
        parent = self._by_id.get(f"tool:{parent_id}") if parent_id else None
        if step.kind in ("tool", "agent", "denied", "approval"):
            self._open = None
        if parent not in self._turn_of:
            self._turn_of[parent] = self._new_turn(parent)
        step.call, step.parent = self._turn_of[parent], parent
        (self.steps if parent is None else parent.steps).append(step)
        return step

    def _new_turn(self, thread: Step | None) -> int:
        running = [step for step in self._by_id.values() if step.kind == "agent" and step.running]
        self.at_once = self.at_once or any(not _within(thread, step) for step in running)
        self.turns += 1
        return self.turns - 1


def _within(thread: Step | None, agent: Step) -> bool:
    """Whether a thread is the subagent's own, or one that it has started."""
    while thread is not None and thread is not agent:
        thread = thread.parent
    return thread is agent


def summary(text: str) -> str:
    """A tool's input in one line: its most telling value."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if isinstance(given, dict):
        for name in ("command", "file_path", "path", "pattern", "query", "url", "description", "prompt", "skill"):
            if isinstance(given.get(name), str):
                text = given[name]
                break
        else:
            text = ", ".join(f"{name}: {value}" for name, value in given.items())
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:159] + "…"


def _pretty(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)[:SHOWN]


def _readable(content: object) -> str:
    """A tool's result as text, whatever shape it has."""
    if isinstance(content, str):
        return content[:SHOWN]
    if isinstance(content, list):
        parts = [
            str(part.get("text", f"[{part.get('type')}]")) if isinstance(part, dict) else str(part) for part in content
        ]
        return "\n".join(parts)[:SHOWN]
    return _pretty(content)
