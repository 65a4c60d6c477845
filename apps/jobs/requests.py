"""What a job is asked to do, as it is stored in its row and handed to the engine."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

from django.conf import settings

from apps.claude import catalog
from apps.claude.spec import RunSpec, Turn
from apps.jobs.models import Job
from apps.permissions.policy import Ask
from apps.routing.question import Question

_ANSWER_TOKENS = 4_096
"""What a chat without max_tokens is reckoned with in a budget of tokens."""


class Request(Protocol):
    """What `submit` takes: whatever kind of work it is, translated and already checked."""

    kind: ClassVar[str]

    @property
    def model(self) -> str:
        """Full model id."""

    @property
    def requested_model(self) -> str:
        """What the caller wrote."""

    @property
    def session_id(self) -> str:
        """The session that it continues or begins, empty for none."""

    def ask(self) -> Ask:
        """What the key's profile has to grant."""

    def answer_tokens(self) -> int:
        """How many tokens it is reckoned to write, for budgets of tokens."""

    def wanted_tokens(self) -> int | None:
        """The most that it may write, where the caller said so."""

    def question(self) -> Question:
        """What the router is told about it."""

    def answered_by(self, model: str) -> Self:
        """The same request to that model."""

    def to_json(self) -> dict[str, Any]:
        """What is stored in the job's row."""


def names(model: str) -> tuple[str, ...]:
    """All names of a model, the full id first."""
    known = catalog.find(model)
    return (model, known.alias) if known and known.alias else (model,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat, translated from whatever wire it came over and already checked. The last turn is the user's."""

    kind: ClassVar[str] = "chat"
    model: str
    """Full model id."""
    requested_model: str
    """What the caller wrote: an alias, a full id, `auto`."""
    turns: tuple[Turn, ...]
    system: str = ""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    user: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[dict[str, Any], ...] = ()
    """The client's functions, as the Messages API defines tools."""
    tool_choice: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    effort: str | None = None
    thinking: dict[str, Any] | None = None
    streamed: bool = True
    """Whether somebody reads along: see `RunSpec.streamed`."""
    session_id: str = ""
    follows: str = ""
    """The job whose answer the conversation goes on from, where a session or an earlier response gave it."""
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What an interface wants back when the job is looked at later. Nothing here reads it."""

    def ask(self) -> Ask:
        """The model; a client's own functions run at the client and need no grant."""
        return Ask(model=names(self.model))

    def answer_tokens(self) -> int:
        """As many as it may write, or what a chat usually does."""
        return self.max_tokens or _ANSWER_TOKENS

    def wanted_tokens(self) -> int | None:
        """`max_tokens`."""
        return self.max_tokens

    def question(self) -> Question:
        """The last turn, and how much came before it. Conversations that begin alike are one to the router."""
        texts = [_text_of(turn) for turn in self.turns]
        opening = texts[0] if self.session_id else f"{self.system}\0{texts[0]}"  # in a session it need not come again
        return Question(
            text=texts[-1],
            context_chars=len(self.system) + sum(map(len, texts[:-1])),
            earlier_turns=len(texts) - 1,
            tools=len(self.tools),
            images=sum(block.get("type") == "image" for block in self.turns[-1].content),
            structured=self.output_schema is not None,
            conversation=hashlib.sha256(opening.encode(errors="replace")).hexdigest()[:32],
            follows=len(texts) > 1,
        )

    def answered_by(self, model: str) -> Self:
        """The same chat to that model."""
        return replace(self, model=model)

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values; `from_json` reads it back."""
        return {
            "model": self.model,
            "requested_model": self.requested_model,
            "turns": [{"role": turn.role, "content": list(turn.content)} for turn in self.turns],
            "system": self.system,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "user": self.user,
            "metadata": dict(self.metadata),
            "tools": list(self.tools),
            "tool_choice": self.tool_choice,
            "output_schema": self.output_schema,
            "effort": self.effort,
            "thinking": self.thinking,
            "streamed": self.streamed,
            "session_id": self.session_id,
            "follows": self.follows,
            "echo": dict(self.echo),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The request that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        turns = tuple(Turn(turn["role"], tuple(turn["content"])) for turn in data["turns"])
        lists = {name: tuple(data.get(name, ())) for name in ("stop", "tools")}
        return cls(**{**data, "turns": turns, **lists})


def _text_of(turn: Turn) -> str:
    return "\n".join(str(block["text"]) for block in turn.content if block.get("type") == "text")


def run_spec(job: Job) -> RunSpec:
    """The job as the engine wants it: fully decided."""
    request = ChatRequest.from_json(job.request)
    return RunSpec(
        job_id=job.id,
        project=str(job.project_id),
        model=request.model,
        system=request.system,
        turns=request.turns,
        max_tokens=request.max_tokens,
        stop=request.stop,
        temperature=request.temperature,
        top_p=request.top_p,
        cap_microusd=job.cap_microusd,
        wall_seconds=wall_seconds(job),
        idle_seconds=settings.JOB_IDLE_SECONDS,
        tools=request.tools,
        tool_choice=request.tool_choice,
        output_schema=request.output_schema,
        effort=request.effort,
        thinking=request.thinking,
        streamed=request.streamed,
    )


def wall_seconds(job: Job) -> float:
    """How long the job may run: what was granted, and never longer than the operator lets any job run."""
    granted = (job.grant or {}).get("max_seconds", settings.JOB_TIMEOUT_SECONDS)
    return float(min(granted, settings.JOB_TIMEOUT_SECONDS))
