"""What `decide` answers: a Grant, which the engine runs with as it is, or a Refusal with every reason."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

ReasonCode = Literal["denied", "not_allowed", "over_limit", "bad_name"]


@dataclass(frozen=True, slots=True)
class Permit:
    """One thing that may be used."""

    ref: str
    rule: str
    """The allow rule that decided, the first that matches."""
    waits_for: tuple[str, ...] = ()
    """Tools whose calls wait for an approval because of an ask rule."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that may not be."""

    code: ReasonCode
    ref: str
    """What was asked for: `tool:Bash`, or the limit's name: `max_turns`."""
    rule: str | None
    """What decided: a deny rule, or the limit as `max_turns=10`. None where no rule speaks: silence is no."""
    message: str
    """Plain words, no full stop, safe to show to the caller."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No. Nothing of the request is run."""

    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return "; ".join(reason.message for reason in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Yes, to exactly this. Nothing is looked up after it."""

    profile: str
    version: int
    model: str
    """Full id."""
    tools: tuple[str, ...]
    agents: tuple[str, ...]
    skills: tuple[str, ...]
    ask_tools: tuple[str, ...]
    """Tools whose calls wait for an approval."""
    max_cost_microusd: int
    max_seconds: float
    max_turns: int
    max_concurrency: int
    permits: tuple[Permit, ...]
    """For each thing granted the rule that allowed it."""

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy, to be kept with the job. Inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The Grant of `to_json`. Raises TypeError or KeyError for anything else."""
        lists = ("tools", "agents", "skills", "ask_tools")
        permits = tuple(Permit(p["ref"], p["rule"], tuple(p["waits_for"])) for p in data["permits"])
        return cls(**{**data, **{name: tuple(data[name]) for name in lists}, "permits": permits})
