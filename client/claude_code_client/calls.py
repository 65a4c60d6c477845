"""Every request that the clients make, as a value: what is sent, and how the answer is read. Pure.

The sync and the async client send the same calls; they differ in how they wait.
"""

import base64
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

from claude_code_client.results import Batch, Completion, Job
from claude_code_client.usage import Usage

T = TypeVar("T")
Prompt = str | Sequence[Mapping[str, Any]]
"""A question, or a conversation as OpenAI's `messages`."""
Content = str | bytes | Path
ASYNC = {"prefer": "respond-async"}


class ChatOptions(TypedDict, total=False):
    """What a chat may be told besides its prompt. `extra` goes into the body as it is."""

    model: str
    system: str
    max_tokens: int
    temperature: float
    top_p: float
    stop: str | Sequence[str]
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    response_format: Mapping[str, Any]
    session_id: str
    user: str
    metadata: Mapping[str, str]
    idempotency_key: str
    extra: Mapping[str, Any]


class TaskOptions(TypedDict, total=False):
    """What a task may be told besides its description. What is left out is as the key's profile has it.

    `timeout` in seconds, `max_cost` in US dollars; `files` by name: text, bytes, or a path that is read.
    """

    model: str
    system: str
    allow_tools: Sequence[str]
    allow_agents: Sequence[str]
    allow_skills: Sequence[str]
    timeout: float
    max_cost: float
    max_turns: int
    session_id: str
    output_schema: Mapping[str, Any]
    files: Mapping[str, Content]
    webhook_url: str
    user: str
    metadata: Mapping[str, str]
    idempotency_key: str
    extra: Mapping[str, Any]


class BatchOptions(TypedDict, total=False):
    """What all items of a batch share, unless an item says otherwise."""

    model: str
    system: str
    max_tokens: int
    temperature: float
    allow_tools: Sequence[str]
    allow_agents: Sequence[str]
    allow_skills: Sequence[str]
    timeout: float
    max_cost: float
    max_turns: int
    metadata: Mapping[str, str]
    idempotency_key: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request."""

    method: str
    path: str
    read: Callable[[Any], T]
    """Makes the result from the answer's JSON."""
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def complete(prompt: Prompt, options: Mapping[str, Any]) -> Call[Completion]:
    """A chat whose answer comes as a whole."""
    return _post("/v1/chat/completions", _chat(prompt, options), options, Completion.read)


def stream(prompt: Prompt, options: Mapping[str, Any]) -> Call[Any]:
    """A chat whose answer comes piece by piece."""
    body = {**_chat(prompt, options), "stream": True, "stream_options": {"include_usage": True}}
    return _post("/v1/chat/completions", body, options, lambda data: data)


def task(description: str, options: Mapping[str, Any]) -> Call[Job]:
    """A task, submitted; its end comes with its events."""
    body: dict[str, Any] = {"description": description, **_told(options)}
    if "files" in body:
        body["files"] = [_file(name, content) for name, content in body["files"].items()]
    return _post("/v1/task", body, options, Job.read, headers=ASYNC)


def batch(items: Sequence[str | Mapping[str, Any]], options: Mapping[str, Any]) -> Call[Batch]:
    """A batch, submitted."""
    return _post("/v1/batch", {"prompts": list(items), **_told(options)}, options, Batch.read, headers=ASYNC)


def get_batch(batch_id: str, *, after: int | None) -> Call[Batch]:
    """A batch with its results behind an index."""
    query = {} if after is None else {"after": str(after)}
    return Call("GET", f"/v1/batch/{quote(batch_id)}", Batch.read, query=query)


def cancel_batch(batch_id: str) -> Call[Batch]:
    """No more of a batch."""
    return _post(f"/v1/batch/{quote(batch_id)}/cancel", {}, {}, Batch.read)


def jobs(query: Mapping[str, Any]) -> Call[tuple[list[Job], str | None]]:
    """A page of jobs, and what the next one comes after."""

    def read(data: Any) -> tuple[list[Job], str | None]:
        return [Job.read(each) for each in data["data"]], data["last_id"] if data["has_more"] else None

    return Call("GET", "/v1/jobs", read, query=_query(query))


def job(job_id: str) -> Call[Job]:
    """One job."""
    return Call("GET", f"/v1/jobs/{quote(job_id)}", Job.read)


def cancel(job_id: str) -> Call[Job]:
    """Stop a job."""
    return _post(f"/v1/jobs/{quote(job_id)}/cancel", None, {}, Job.read)


def follow(job_id: str, *, starting_after: int) -> Call[Any]:
    """A job's events."""
    query = {"starting_after": str(starting_after)}
    return Call("GET", f"/v1/jobs/{quote(job_id)}/events", lambda data: data, query=query)


def artifact(job_id: str, name: str) -> Call[bytes]:
    """A file that a task left."""
    return Call("GET", f"/v1/jobs/{quote(job_id)}/artifacts/{quote(name)}", bytes)


def usage(query: Mapping[str, Any]) -> Call[Usage]:
    """Usage of the project; `since` and `until` are the wire's `from` and `to`."""
    names = {"since": "from", "until": "to"}
    return Call("GET", "/v1/usage", Usage.read, query=_query({names.get(name, name): query[name] for name in query}))


def look(path: str) -> Call[Any]:
    """Anything that is read as it is."""
    return Call("GET", path, lambda data: data)


def ask(path: str, body: Mapping[str, Any]) -> Call[Any]:
    """Anything that is asked and changes nothing."""
    return _post(path, body, {}, lambda data: data)


def _post(
    path: str,
    body: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    read: Callable[[Any], T],
    headers: Mapping[str, str] | None = None,
) -> Call[T]:
    """With a word of its own, so that it can be sent again without being done again."""
    word = options.get("idempotency_key") or uuid.uuid4().hex
    return Call("POST", path, read, body, headers={"idempotency-key": word, **(headers or {})})


def _chat(prompt: Prompt, options: Mapping[str, Any]) -> dict[str, Any]:
    body = _told(options)
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(each) for each in prompt]
    system = body.pop("system", None)
    return {"messages": [{"role": "system", "content": system}, *messages] if system else messages, **body}


def _told(options: Mapping[str, Any]) -> dict[str, Any]:
    own = {
        name: value for name, value in options.items() if name not in ("idempotency_key", "extra") and value is not None
    }
    return {**own, **options.get("extra", {})}


def _file(name: str, content: Content) -> dict[str, str]:
    data = content.read_bytes() if isinstance(content, Path) else content
    if isinstance(data, str):
        return {"name": name, "content": data}
    return {"name": name, "content_base64": base64.b64encode(data).decode()}


def _query(values: Mapping[str, Any]) -> dict[str, str]:
    def written(value: Any) -> str:
        if hasattr(value, "isoformat"):
            return str(value.isoformat())
        return str(value) if isinstance(value, str | int | float) else ",".join(value)

    return {name: written(value) for name, value in values.items() if value is not None}
