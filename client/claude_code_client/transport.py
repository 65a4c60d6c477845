"""What both clients make of a connection: addresses, headers, time limits, and errors out of answers."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from claude_code_client.calls import Call
from claude_code_client.errors import ApiError, ClaudeError, ConnectionFailed, JobFailed, error_of
from claude_code_client.results import Event, Job

SILENCE_SECONDS = 60.0
"""A stream that says nothing for so long is broken: the service pings every 15 seconds."""
CONNECT_SECONDS = 10.0


class Unreadable(ClaudeError):
    """What answers there is not the service."""


def settings(base_url: str, api_key: str, timeout: float) -> dict[str, Any]:
    """Of an HTTP client. `base_url` may end with /v1 or not."""
    return {
        "base_url": base_url.rstrip("/").removesuffix("/v1"),
        "headers": {"authorization": f"Bearer {api_key}"},
        "timeout": httpx2.Timeout(timeout, connect=CONNECT_SECONDS),
    }


def request(call: Call[Any], *, stream: bool = False) -> dict[str, Any]:
    """The call as arguments of an HTTP client."""
    made: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": dict(call.query),
        "headers": {**call.headers, **({"accept": "text/event-stream"} if stream else {})},
    }
    if call.body is not None:
        made["json"] = call.body
    if stream:
        made["timeout"] = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    return made


def json_of(text: str) -> Any:
    """The JSON of an answer. Raises Unreadable."""
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable(f"this is no answer of the service: {text[:100]!r}; is base_url right?") from None


def refusal(status: int, text: str, headers: Mapping[str, str]) -> ApiError:
    """The error that an answer with a bad status tells."""
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    error = error_of(status, body, headers)
    if isinstance(body, dict) and isinstance(body.get("job"), dict):
        return JobFailed(status, body["error"], headers, Job.read(body["job"]))
    return error


def gone(error: Exception, tries: int) -> ConnectionFailed:
    """After the last try."""
    return ConnectionFailed(f"{error or type(error).__name__} (tried {tries} times)")


def ended(event: Event) -> Job:
    """The job that an event ends. Raises JobFailed."""
    job = Job.read(event.data)
    if event.type == "error":
        raise JobFailed(0, event.data, {}, job)
    return job


def told(data: Mapping[str, Any]) -> Event:
    """An event of a stream. Raises ApiError for what the service says about the stream itself."""
    if data.get("type") == "error" and "sequence_number" not in data:
        raise error_of(0, {"error": data}, {})
    return Event.read(data)
