"""What a chat job is asked to do, as it is stored in its row and handed to the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django.conf import settings

from apps.claude.spec import RunSpec, Turn
from apps.jobs.models import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat, translated from whatever wire it came over and already checked. The last turn is the user's."""

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
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The request that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        turns = tuple(Turn(turn["role"], tuple(turn["content"])) for turn in data["turns"])
        return cls(**{**data, "turns": turns, "stop": tuple(data["stop"])})


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
        wall_seconds=settings.JOB_TIMEOUT_SECONDS,
        idle_seconds=settings.JOB_IDLE_SECONDS,
    )
