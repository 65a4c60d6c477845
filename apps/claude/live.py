"""A live chat process: one CLI on its lane, asked one question after another and emptied in between."""

import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from apps.claude import jail as walls
from apps.claude import launch, protocol, rehearsal
from apps.claude.egress import Egress, Lane
from apps.claude.jail import Jail
from apps.claude.process import CliGone, CliProcess
from apps.claude.protocol import Result
from apps.claude.spec import Content

START_SECONDS = 30.0
CONTROL_SECONDS = 5.0
_REHEARSALS = 2
"""Questions rehearsed at the start: the first loads what the CLI loads late, the second runs warm."""


class CliUnfit(Exception):
    """The CLI cannot be used as a live process; the message says which proof it failed."""


class RewindMissing(CliUnfit):
    """It can be used, but for one question only."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What it takes to start a process."""

    cli: Path
    jail: Jail | None
    egress: Egress
    lanes: Path


class LiveProcess:
    """States: fresh (no project), then bound to one project for life. `idle` between questions."""

    def __init__(self, cli: CliProcess, lane: Lane, model: str) -> None:
        self.cli = cli
        self.lane = lane
        self.model = model
        self.project: str | None = None
        self.turns = 0
        self.rewinds = False
        """Whether it empties itself; if not, it serves one question."""
        self.started_at = self.idle_since = time.monotonic()
        self.busy = False
        self.turn_over = True
        self.cost_usd = 0.0
        self.cli_version = ""
        self._asked: str | None = None

    @classmethod
    async def start(cls, workshop: Workshop, model: str, *, rewind: bool = True) -> "LiveProcess":
        """Start, rehearse and prove a process. Raises CliUnfit. About 0.7 s of a core."""
        uid = walls.JAIL_UID if workshop.jail and walls.runs_as_root() else None
        lane = await workshop.egress.open_lane(workshop.lanes / uuid.uuid4().hex[:12], uid)
        started = launch.chat(cli=workshop.cli, jail=workshop.jail, lane=lane.directory, model=model)
        live = cls(await CliProcess.spawn(started), lane, model)
        try:
            await asyncio.wait_for(live._rehearse(rewind), START_SECONDS)
        except (CliGone, TimeoutError) as error:
            reason = lane.rehearsal_fault or str(error) or "it did not answer"
            await live.aclose()
            raise CliUnfit(f"the CLI failed its rehearsal: {reason}") from error
        except BaseException:
            await live.aclose()
            raise
        return live

    async def _rehearse(self, rewind: bool) -> None:
        """Prove the socket, verbatim prompts, the system prompt's place, and the rewind."""
        welcome = await self.cli.control("initialize", START_SECONDS, hooks=None)
        self.cli_version = str(welcome.response.get("claude_code_version", ""))
        if not rewind:
            return  # an answer that cannot be taken back would stand in the first client's request
        self.lane.rehearsal = rehearsal.spec(self.model)
        for _ in range(_REHEARSALS):
            self.ask(({"type": "text", "text": rehearsal.QUESTION},))
            await self.result()
            if self.lane.rehearsal_fault:
                raise CliGone(self.lane.rehearsal_fault)
            self.rewinds = await self.rewind()
            if not self.rewinds:
                raise RewindMissing("rewind_conversation does not work in this CLI")
        self.turns = 0

    def ask(self, content: Content) -> None:
        """Send the newest message. Raises CliGone."""
        self._asked = str(uuid.uuid4())
        self.turns += 1
        self.turn_over = False
        self.cli.send(protocol.user_message(self._asked, list(content)))

    async def result(self) -> Result:
        """Read on until the CLI says that the turn is over. Raises CliGone."""
        while True:
            frame = await self.cli.frame()
            if isinstance(frame, Result):
                self.heard(frame)
                return frame

    def heard(self, result: Result) -> None:
        """The CLI called the turn over."""
        self.turn_over = True
        self.cost_usd = result.total_cost_usd

    async def rewind(self) -> bool:
        """Stop what still goes on and empty the conversation; only the CLI's own word counts.

        Raises CliGone or TimeoutError.
        """
        if not self.turn_over:
            await self.cli.control("interrupt", CONTROL_SECONDS)
            await asyncio.wait_for(self.result(), CONTROL_SECONDS)
        if self._asked is None:
            return True
        reply = await self.cli.control(
            "rewind_conversation",
            CONTROL_SECONDS,
            target_message_uuid=self._asked,
            last_seen_user_message_uuid=self._asked,
        )
        self._asked = None
        return reply.response.get("rewound") is True

    async def use_model(self, model: str) -> None:
        """Change the model for what follows. Raises CliUnfit where the CLI will not."""
        if model == self.model:
            return
        reply = await self.cli.control("set_model", CONTROL_SECONDS, model=model)
        if reply.error is not None:
            raise CliUnfit(f"the CLI will not use {model}: {reply.error}")
        self.model = model

    def upstream_seconds(self) -> float:
        """How long the open run's calls have taken so far."""
        return sum(call.duration_seconds for call in self.lane.tab.calls()) if self.lane.tab else 0.0

    async def aclose(self) -> None:
        """End the process and its lane."""
        self.lane.cut()
        await self.cli.aclose()
        await self.lane.close()
