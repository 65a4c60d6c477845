"""What the service answers, as values. `raw` is always the whole JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by kind, as they are priced."""

    input_tokens: int = 0
    """Neither read from nor written to a cache."""
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All four kinds."""
        return sum(
            (self.input_tokens, self.output_tokens, self.cache_read_input_tokens, self.cache_creation_input_tokens)
        )

    @classmethod
    def read(cls, data: Json) -> Self:
        """From a job's or a usage row's `usage`."""
        return cls(**{name: int(data.get(name) or 0) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat's answer."""

    text: str
    model: str
    finish_reason: str | None
    """stop, length or tool_calls."""
    tool_calls: list[Json]
    """What the model wants to have called, of the functions it was given: id, name, and arguments as JSON text."""
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt's."""
    completion_tokens: int
    cost_usd: float | None
    job_id: str | None
    session_id: str | None
    raw: Json = field(repr=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def read(cls, data: Json) -> Self:
        """From a chat completion."""
        choice = data["choices"][0]
        message = choice["message"]
        return cls._of(data, message.get("content") or "", choice.get("finish_reason"), message.get("tool_calls") or [])

    @classmethod
    def of_chunks(cls, chunks: list[Json]) -> Self:
        """From the chunks of a stream that has ended, the last one with its usage."""
        text, finish, calls = "", None, dict[int, dict[str, Any]]()
        for choice in (choice for chunk in chunks for choice in chunk.get("choices") or ()):
            text += choice["delta"].get("content") or ""
            finish = choice.get("finish_reason") or finish
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(
                    piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                call["id"] = piece.get("id") or call["id"]
                for name, value in (piece.get("function") or {}).items():
                    call["function"][name] += value or ""
        whole = {name: value for chunk in chunks for name, value in chunk.items() if value is not None}
        return cls._of(whole, text, finish, list(calls.values()))

    @classmethod
    def of_job(cls, job: Json) -> Self:
        """From the job object that ends a job's events."""
        tokens = Tokens.read(job.get("usage") or {})
        cached = tokens.cache_read_input_tokens
        usage = {
            "prompt_tokens": tokens.total_tokens - tokens.output_tokens,
            "completion_tokens": tokens.output_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        about = {"job_id": job.get("job_id") or job.get("id"), "cost_usd": job.get("cost_usd")}
        whole = {**job, "usage": usage, "x_claude": about}
        return cls._of(whole, job.get("result") or "", "stop" if job.get("stop_reason") else None, [])

    @classmethod
    def _of(cls, data: Json, text: str, finish_reason: str | None, calls: list[Any]) -> Self:
        usage, ours = data.get("usage") or {}, data.get("x_claude") or {}
        return cls(
            text=text,
            model=str(data.get("model") or ""),
            finish_reason=finish_reason,
            tool_calls=[{"id": call["id"], **call["function"]} for call in calls],
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            cost_usd=ours.get("cost_usd"),
            job_id=ours.get("job_id"),
            session_id=ours.get("session_id") or data.get("session_id"),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work: a chat or a task, running or ended."""

    id: str
    kind: str
    status: str
    """queued, in_progress, completed, failed or cancelled."""
    model: str
    result: str | None
    """What was said; of a job that failed, what came of it."""
    structured_output: Any
    """What satisfies the `output_schema`, where there is one."""
    usage: Tokens
    cost_usd: float
    num_turns: int
    tools_used: list[str]
    permission_denials: list[Json]
    artifacts: list[Json]
    """Files that a task left: name, size, media_type, sha256; `client.download(job.id, name)` fetches one."""
    artifacts_skipped: list[Json]
    """What it left and that is not kept: name, reason, size."""
    session_id: str | None
    """To go on where it ended: `agentic_task(…, session_id=job.session_id)`."""
    error: Json | None
    raw: Json = field(repr=False)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("queued", "in_progress")

    @property
    def text(self) -> str:
        """The result, as text."""
        return self.result or ""

    @classmethod
    def read(cls, data: Json) -> Self:
        """From a job object, or from the event that ends a job."""
        return cls(
            id=str(data.get("job_id") or data.get("id") or ""),
            kind=str(data.get("kind") or ""),
            status=str(data.get("status") or ""),
            model=str(data.get("model") or ""),
            result=data.get("result"),
            structured_output=data.get("structured_output"),
            usage=Tokens.read(data.get("usage") or {}),
            cost_usd=float(data.get("cost_usd") or 0.0),
            num_turns=int(data.get("num_turns") or 0),
            tools_used=list(data.get("tools_used") or ()),
            permission_denials=list(data.get("permission_denials") or ()),
            artifacts=list(data.get("artifacts") or ()),
            artifacts_skipped=list(data.get("artifacts_skipped") or ()),
            session_id=data.get("session_id"),
            error=data.get("error"),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in a job: started, token, thinking, tool_use, tool_result, denied, approval, network, done or
    error."""

    type: str
    job_id: str
    sequence_number: int
    data: Json

    @property
    def text(self) -> str:
        """What a token or thinking says; empty for the others."""
        return str(self.data.get("content") or "") if self.type in ("token", "thinking") else ""

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after it."""
        return self.type in ("done", "error")

    @classmethod
    def read(cls, data: Json) -> Self:
        """From a frame of `/events` or of a socket."""
        return cls(str(data.get("type")), str(data.get("job_id") or ""), int(data.get("sequence_number") or 0), data)


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one item of a batch; items are in the order in which they were given."""

    index: int
    kind: str | None
    """chat or task; None where the item could not be read."""
    status: str
    """waiting, queued, in_progress, completed, failed or cancelled."""
    job_id: str | None
    result: str | None
    structured_output: Any
    cost_usd: float
    error: Json | None
    raw: Json = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return self.status == "completed"

    @classmethod
    def read(cls, data: Json) -> Self:
        """From an element of a batch's `results`."""
        return cls(
            index=int(data.get("index") or 0),
            kind=data.get("kind"),
            status=str(data.get("status") or ""),
            job_id=data.get("job_id"),
            result=data.get("result"),
            structured_output=data.get("structured_output"),
            cost_usd=float(data.get("cost_usd") or 0.0),
            error=data.get("error"),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Many requests under one id."""

    id: str
    status: str
    total: int
    completed: int
    failed: int
    cost_usd: float
    results: list[BatchItem]
    """So far, in order; all of them once it has ended."""
    raw: Json = field(repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing of it is still to come."""
        return self.raw.get("finished_at") is not None

    @classmethod
    def read(cls, data: Json) -> Self:
        """From a batch object."""
        counts = data.get("counts") or {}
        return cls(
            id=str(data["id"]),
            status=str(data.get("status") or ""),
            total=int(counts.get("total") or 0),
            completed=int(counts.get("completed") or 0),
            failed=int(counts.get("failed") or 0),
            cost_usd=float(data.get("cost_usd") or 0.0),
            results=[BatchItem.read(each) for each in data.get("results") or ()],
            raw=data,
        )
