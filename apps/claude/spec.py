"""The values that enter and leave the engine: one run fully decided, its events, its metered calls, its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from apps.claude.leftovers import Artifact, Skipped
from apps.claude.network.connection import Connection

Content = tuple[dict[str, Any], ...]
"""Messages-API content blocks, for instance ``{"type": "text", "text": "…"}``."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: Content


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One chat run, fully decided: nothing is looked up after this. The last turn is the user's."""

    job_id: str
    project: str
    """The tenant. A live process never serves two of them."""
    model: str
    """Full model id."""
    system: str
    turns: tuple[Turn, ...]
    max_tokens: int | None
    stop: tuple[str, ...]
    temperature: float | None
    top_p: float | None
    cap_microusd: int
    """The run never spends more than this; the egress refuses the call that would."""
    wall_seconds: float
    idle_seconds: float
    """The longest silence of the model, the wait for its first token included."""
    tools: tuple[dict[str, Any], ...] = ()
    """The client's own functions, as the Messages API defines tools. They are asked for, never run here."""
    tool_choice: dict[str, Any] | None = None
    """As in the Messages API; None leaves it to the model."""
    output_schema: dict[str, Any] | None = None
    """JSON Schema that the answer has to satisfy; None for free text."""
    effort: str | None = None
    """low, medium, high, xhigh or max; None for the model's own."""
    thinking: dict[str, Any] | None = None
    """As in the Messages API (type adaptive, enabled, disabled; budget_tokens; display); None leaves it to the CLI."""
    streamed: bool = True
    """Whether somebody reads along. Otherwise an answer that has to satisfy a schema is told once it does."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or a sum of calls, in the kinds that have a price of their own."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_5m_input_tokens: int = 0
    cache_creation_1h_input_tokens: int = 0

    @property
    def cache_creation_input_tokens(self) -> int:
        """Tokens written to the prompt cache, whatever their lifetime."""
        return self.cache_creation_5m_input_tokens + self.cache_creation_1h_input_tokens

    @property
    def prompt_tokens(self) -> int:
        """Everything that was read by the model: fresh, cached and written to the cache."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens

    @property
    def total_tokens(self) -> int:
        """Prompt and output together."""
        return self.prompt_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Call:
    """One metered upstream call: the row that is billed."""

    id: str
    model: str
    usage: Usage
    cost_microusd: int
    priced: bool
    """False where the price table does not know the model: the cost is then 0 and must be looked at by a person."""
    estimated: bool
    """True while the call runs and after a cut answer: input exact once the model began, output from characters."""
    status: int
    """HTTP status of the upstream, 0 while there is none."""
    price_version: str
    started_at: float
    """Unix seconds."""
    duration_seconds: float
    first_token_seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """A flat dict of JSON values; `from_json` reads it back."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "usage"}
        return flat | {f.name: getattr(self.usage, f.name) for f in fields(self.usage)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The call that `to_json` wrote."""
        usage = Usage(**{f.name: data[f.name] for f in fields(Usage)})
        return cls(usage=usage, **{f.name: data[f.name] for f in fields(cls) if f.name != "usage"})


@dataclass(frozen=True, slots=True)
class Started:
    """The CLI took the run."""

    model: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of the model's visible thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class Signature:
    """The upstream's seal on the thinking before it, without which it is not taken back in a conversation."""

    signature: str


@dataclass(frozen=True, slots=True)
class Metered:
    """A checkpoint of a call (same id, growing), so that a run whose worker is killed can still be billed."""

    call: Call


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model asks for a tool: in a chat the client's function, in a task one that runs in the jail."""

    id: str
    name: str
    input: dict[str, Any] | None
    """None where the arguments follow as `ToolInput` pieces."""
    parent_id: str | None = None
    """The call that started the subagent which asks."""


@dataclass(frozen=True, slots=True)
class ToolInput:
    """A piece of the JSON of a tool call's arguments."""

    id: str
    partial_json: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to."""

    id: str
    content: str
    is_error: bool = False
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """A tool call that was not let through."""

    id: str
    name: str
    input: dict[str, Any]
    reason: str
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A tool call waits until somebody allows it; `Engine.decide` tells the run."""

    id: str
    name: str
    input: dict[str, Any]
    expires_at: float
    """Unix seconds; then it is denied."""
    parent_id: str | None = None


Decision = Literal["once", "job", "deny"]
"""Let this call run, let this tool run for the rest of the job, or let it not run."""


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """What became of an `ApprovalAsked`."""

    id: str
    decision: Decision
    by: str
    """Who decided: a user or key, or `expiry`."""


Event = (
    Started
    | Text
    | Thinking
    | Signature
    | Metered
    | ToolUse
    | ToolInput
    | ToolResult
    | Denied
    | ApprovalAsked
    | ApprovalDecided
    | Connection
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and the calls that are billed for it."""

    status: Literal["completed", "failed", "cancelled"]
    error_code: str | None = None
    error_message: str | None = None
    text: str = ""
    stop_reason: str | None = None
    """Anthropic's: end_turn, max_tokens, stop_sequence, tool_use, refusal."""
    stop_sequence: str | None = None
    calls: tuple[Call, ...] = ()
    cli_cost_microusd: int | None = None
    """What the CLI itself reckoned, kept to compare; None where it said nothing."""
    upstream_status: int | None = None
    retry_after_seconds: float | None = None
    content: Content = ()
    """The answer's blocks as the Messages API has them (text, thinking with its signature, tool_use); empty where it is
    only `text`. The input of a tool call that was cut off is {}, with what came of its JSON beside it in `unparsed`."""
    structured_output: Any = None
    """What satisfies the spec's `output_schema`, where it has one."""
    thinking_tokens: int = 0
    """Of the output; what the upstream itself says."""
    overhead_tokens: int = 0
    """Of the prompt: what was not the client's. Reckoned from characters."""
    web_search_requests: int = 0
    """That the upstream made and bills by the piece."""
    num_turns: int = 1
    tools_used: tuple[str, ...] = ()
    """Names, each once, in the order of first use."""
    denials: tuple[Denied, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    artifacts_skipped: tuple[Skipped, ...] = ()
    """What was left and not kept; the first of them, where there are very many."""
    artifacts_skipped_count: int = 0
    attribution: Mapping[str, int] = field(default_factory=dict)
    """Micro-dollars by agent, skill or tool ref, where a call can be attributed."""

    @property
    def usage(self) -> Usage:
        """The sum over all calls."""
        return sum((call.usage for call in self.calls), Usage())

    @property
    def cost_microusd(self) -> int:
        """The bill: the sum of the calls' costs."""
        return sum(call.cost_microusd for call in self.calls)

    @property
    def estimated(self) -> bool:
        """Whether any call's usage had to be estimated."""
        return any(call.estimated for call in self.calls)
