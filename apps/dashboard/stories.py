"""A job as its page tells it: what was said and done, and what each step cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.dashboard.queries import jobs as queries
from apps.dashboard.timeline import SHOWN, Step, Timeline
from apps.jobs import eventlog
from apps.jobs.events import Event
from apps.jobs.models import Call, Job, JobEvent

MOST_EVENTS = 5_000
"""More of a transcript is for the API: a page of it would be no page."""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of what the job was asked."""

    who: str
    text: str

    @property
    def long(self) -> bool:
        """Whether a page folds it."""
        return len(self.text) > 1_200 or self.who == "System"

    @property
    def gist(self) -> str:
        """Its first words."""
        line = " ".join(self.text.split())
        return line if len(line) <= 120 else line[:119] + "…"


@dataclass(frozen=True, slots=True)
class Story:
    """The steps, the metered calls, and how far the page has come."""

    asked: Sequence["Said"]
    steps: Sequence[Step]
    calls: Sequence[Call]
    last: int
    cut: bool
    """Whether there is more than the page shows."""
    pruned: bool
    """Whether the transcript was deleted, as old ones are."""


def of(job: Job) -> Story:
    """The job's story: stored where it has ended, from the live log where it runs. Two queries."""
    events = told(job)
    cut = len(events) > MOST_EVENTS
    timeline = Timeline(events[:MOST_EVENTS])
    calls = queries.calls(job) if not job.is_open else []
    _price(timeline, calls)
    pruned = not events and bool(job.last_sequence_number > 1)
    return Story(asked(job), timeline.steps, calls, timeline.last, cut, pruned)


def told(job: Job) -> list[Event]:
    """Its events until now, the last of a closed job's excepted; at most one more than a page shows."""
    return eventlog.read(job.pk)[: MOST_EVENTS + 1] if job.is_open else _stored(job)


def _stored(job: Job) -> list[Event]:
    rows = JobEvent.objects.of_jobs([job.pk])[: MOST_EVENTS + 1]
    return [Event(row.sequence_number, row.type, row.data) for row in rows]


def _price(timeline: Timeline, calls: Sequence[Call]) -> None:
    """Give each turn's first step the price of its call, and subagents what is inside of them.

    Only where every call is a turn and one came after the other, for calls do not say which turn they were.
    """
    if len(calls) == timeline.turns and not timeline.at_once:
        _price_steps(timeline.steps, calls, set())


def _price_steps(steps: Sequence[Step], calls: Sequence[Call], seen: set[int]) -> int:
    """The sum of the turns that begin in these steps."""
    sum_ = 0
    for step in steps:
        if step.call is not None and step.call not in seen:
            seen.add(step.call)
            step.cost_microusd = calls[step.call].cost_microusd
            step.seconds = calls[step.call].duration_seconds
            sum_ += step.cost_microusd
        if step.last_call is not None:
            step.inside_microusd = _price_steps(step.steps, calls, seen) + calls[step.last_call].cost_microusd
            sum_ += step.inside_microusd
    return sum_


def asked(job: Job) -> list[Said]:
    """What the job was asked: its system prompt, and its turns or its description."""
    request = job.request
    said = [Said("System", str(request["system"]))] if request.get("system") else []
    if text := request.get("prompt") or request.get("description"):
        return [*said, Said("Asked", _text(text))]
    for turn in request.get("turns") or ():
        said.append(Said("Asked" if turn.get("role") == "user" else "Answered", _text(turn.get("content"))))
    return said


def _text(content: object) -> str:
    if not isinstance(content, list):
        return str(content or "")
    parts = [part if isinstance(part, dict) else {"text": part} for part in content]
    return "\n".join(str(part.get("text") or f"[{part.get('type')}]") for part in parts)[:SHOWN]
