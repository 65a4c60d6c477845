"""A worker's end of the event log: the first token at once, what follows joined, nothing lost when Valkey restarts."""

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass, field

from redis.asyncio.client import Pipeline

from apps.claude import spec
from apps.claude.network.connection import Connection
from apps.jobs import eventlog, news, valkey
from apps.jobs.events import Event, dumps

JOIN_SECONDS = 0.03
"""Deltas after the first are joined for so long; all jobs of a worker are sent together."""
RETRY_SECONDS = 0.1
GIVE_UP_SECONDS = 60.0
"""A closed job's events that Valkey did not take for so long are dropped: the database has them."""

_NAMES: dict[type, str] = {
    spec.Signature: "signature",
    spec.ToolUse: "tool_use",
    spec.ToolResult: "tool_result",
    spec.Denied: "denied",
    spec.ApprovalAsked: "approval",
    spec.ApprovalDecided: "approval_decided",
    Connection: "network",
}


@dataclass(eq=False, slots=True)
class Transcript:
    """Everything one running job has said, kept until the job is closed and its log is complete."""

    job_id: str
    project_id: int
    writer: "Writer"
    events: list[Event] = field(default_factory=list)
    sent: int = 0
    """How many events the log is known to hold."""
    calls: dict[str, spec.Call] = field(default_factory=dict)
    unsent_calls: set[str] = field(default_factory=set)
    closed_at: float | None = None
    _pieces: list[str] = field(default_factory=list)
    _kind: str = ""
    _tool_id: str = ""
    _begun: set[str] = field(default_factory=set)

    async def emit(self, event: spec.Event) -> None:
        """Take an event of the engine."""
        match event:
            case spec.Started(model):
                self._append("started", {"model": model})
                self.writer.send_now()
            case spec.Text(text):
                self._say("token", text)
            case spec.Thinking(text):
                self._say("thinking", text)
            case spec.ToolInput(tool_id, partial_json):
                self._say("tool_input", partial_json, tool_id)
            case spec.Metered(call):
                self.calls[call.id] = call
                self.unsent_calls.add(call.id)
                self.writer.send_soon()
            case _:
                self.complete()
                self._kind = ""
                self._append(_NAMES[type(event)], asdict(event))
                self.writer.send_now()

    def complete(self) -> list[Event]:
        """All events so far, nothing held back for joining."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self._append(self._kind, self._piece("".join(pieces)))
        return self.events

    def _say(self, kind: str, text: str, tool_id: str = "") -> None:
        """The first piece of its kind becomes an event at once; later ones wait for their neighbours."""
        if (kind, tool_id) != (self._kind, self._tool_id):
            self.complete()
            self._kind, self._tool_id = kind, tool_id
        if kind in self._begun:
            self._pieces.append(text)
            self.writer.send_soon()
        else:
            self._begun.add(kind)
            self._append(kind, self._piece(text))
            self.writer.send_now()

    def _piece(self, text: str) -> dict[str, object]:
        return {"id": self._tool_id, "partial_json": text} if self._kind == "tool_input" else {"text": text}

    def _append(self, kind: str, data: dict[str, object]) -> None:
        self.events.append(Event(len(self.events) + 1, kind, data))


class Writer:
    """Sends all transcripts of a worker over one connection. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._open: dict[str, Transcript] = {}
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._client = valkey.async_client()
        self._doubtful = False
        """Whether a send failed, so that only Valkey knows what arrived."""

    def open(self, job_id: str, *, project_id: int) -> Transcript:
        """A transcript for a job that begins to run."""
        transcript = self._open[job_id] = Transcript(job_id, project_id, self)
        return transcript

    def end(self, transcript: Transcript, terminal: Event) -> None:
        """Append the terminal event, once the job's end is committed."""
        transcript.complete().append(terminal)
        transcript.closed_at = time.monotonic()
        self.send_now()

    def drop(self, transcript: Transcript) -> None:
        """Forget a job that somebody else has closed; its log is theirs."""
        self._open.pop(transcript.job_id, None)

    def send_now(self) -> None:
        """Send as soon as the loop comes to it."""
        self._wake.set()

    def send_soon(self) -> None:
        """Send when the deltas of JOIN_SECONDS are together."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(JOIN_SECONDS, self._wake.set)

    async def run(self) -> None:
        """Send until cancelled."""
        task = asyncio.current_task()
        while not (task and task.cancelling()):  # a send that times out in that moment swallows the cancellation
            await self._wake.wait()
            self._wake.clear()
            if self._timer:
                self._timer.cancel()
                self._timer = None
            if not await self._send():
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def aclose(self, seconds: float) -> None:
        """Try for so long to send what is left. `run` must have ended."""
        self._doubtful = True  # it may have been cancelled in the middle of a command
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._send()
        await self._client.aclose()

    async def _send(self) -> bool:
        """Bring Valkey up to date. False when it could not be done."""
        try:
            async with valkey.patience():
                if self._doubtful:
                    await self._recall()
                pipe = self._client.pipeline(transaction=False)
                reached = {each: self._add(pipe, each) for each in self._open.values()}
                if len(pipe):
                    _check(await pipe.execute(raise_on_error=False))
        except valkey.ERRORS:
            self._doubtful = True
            self._give_up()
            return False
        for transcript, sent in reached.items():
            transcript.sent = sent
            if transcript.closed_at and sent == len(transcript.events):
                self.drop(transcript)
        return True

    async def _recall(self) -> None:
        """Ask how far each log really is: what was not answered may have arrived, and Valkey may have lost some."""
        asked = list(self._open.values())
        pipe = self._client.pipeline(transaction=False)
        for transcript in asked:
            pipe.xrevrange(valkey.stream(transcript.job_id), count=1)
        answers = await pipe.execute() if asked else []
        for transcript, last in zip(asked, answers, strict=True):
            transcript.sent = min(int(last[0][0].split("-")[0]), len(transcript.events)) if last else 0
            transcript.unsent_calls.update(transcript.calls)
        self._doubtful = False

    def _add(self, pipe: Pipeline, transcript: Transcript) -> int:
        """Queue the commands for what is new, and how far the log reaches once they are done."""
        job_id, events = transcript.job_id, transcript.complete()
        closed = transcript.closed_at is not None
        new = events[transcript.sent :]
        for event in new:
            eventlog.append(pipe, job_id, event)
        if transcript.unsent_calls and not closed:
            for call_id in transcript.unsent_calls:
                pipe.hset(valkey.calls(job_id), call_id, dumps(transcript.calls[call_id].to_json()))
            pipe.expire(valkey.calls(job_id), eventlog.MAX_AGE_SECONDS)
            transcript.unsent_calls.clear()
        if closed:
            pipe.delete(valkey.calls(job_id))
        if new:
            if closed or not transcript.sent:
                pipe.expire(valkey.stream(job_id), eventlog.KEEP_SECONDS if closed else eventlog.MAX_AGE_SECONDS)
            pipe.publish(valkey.bell(job_id), "")
            if any(event.type in news.TOLD for event in new):
                news.add(pipe, transcript.project_id)
        return len(events)

    def _give_up(self) -> None:
        long_ago = time.monotonic() - GIVE_UP_SECONDS
        for transcript in list(self._open.values()):
            if transcript.closed_at and transcript.closed_at < long_ago:
                self.drop(transcript)


def _check(answers: list[object]) -> None:
    """Raises the first error among the answers that does not say that the log was already there."""
    for answer in answers:
        if isinstance(answer, Exception) and not eventlog.is_repetition(answer):
            raise answer
