"""The request that goes upstream: what the CLI asked, completed with the conversation that the CLI never held.

A live chat process is given the newest message only. System prompt, earlier turns and sampling parameters are put in
here, exactly as the client sent them; whatever else the CLI's request holds is refused. So a conversation cannot leak
through a live process even if its rewind failed: a leftover message ends the process instead of reaching the upstream.
Why not through the CLI's own protocol: docs/decisions/0002-the-egress-composes.md.
"""

from dataclasses import dataclass
from typing import Any

from apps.claude.launch import SYSTEM_PLACEHOLDER
from apps.claude.spec import Content, RunSpec

_MARK = "cache_control"
_MIN_THINKING_BUDGET = 1024


class Mismatch(Exception):
    """The CLI's request is not the one this run must make; the process cannot be trusted any more."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """The CLI's own rendering of the newest message, and its notes that carry no text (the effort of the turn)."""

    marks: dict[str, Any] | None
    notes: list[dict[str, Any]]


def chat_request(asked: dict[str, Any], spec: RunSpec) -> dict[str, Any]:
    """The CLI's request body completed for this run. Raises Mismatch."""
    if asked.get("model") != spec.model:
        raise Mismatch(f"the CLI asked for model {asked.get('model')!r}")
    if asked.get("tools") or asked.get("mcp_servers"):
        raise Mismatch("the CLI offered tools in a tool-less chat")
    newest = _newest(asked.get("messages"), spec.turns[-1].content)
    body = dict(asked)
    body["system"] = _system(asked.get("system"), spec.system)
    body["messages"] = _messages(spec, newest)
    if spec.max_tokens is not None:
        clamp_max_tokens(body, spec.max_tokens)
    if spec.stop:
        body["stop_sequences"] = list(spec.stop)
    if spec.temperature is not None or spec.top_p is not None:
        _sampling(body, spec)
    return body


def clamp_max_tokens(body: dict[str, Any], limit: int) -> None:
    """Lower max_tokens to the limit, and the thinking budget, which must be smaller, with it."""
    body["max_tokens"] = min(int(body.get("max_tokens") or limit), limit)
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        if body["max_tokens"] > _MIN_THINKING_BUDGET:
            budget = min(int(thinking.get("budget_tokens") or 0), body["max_tokens"] - 1)
            body["thinking"] = thinking | {"budget_tokens": max(budget, _MIN_THINKING_BUDGET)}
        else:
            _without_thinking(body)


def _newest(messages: object, content: Content) -> _Newest:
    if not isinstance(messages, list):
        raise Mismatch("the CLI's request has no messages")
    users = [message for message in messages if message.get("role") == "user"]
    notes = [message for message in messages if message.get("role") == "system"]
    if len(users) != 1 or len(users) + len(notes) != len(messages):
        raise Mismatch("the CLI's request holds more than the newest message")
    blocks = users[0].get("content")
    if isinstance(blocks, str):
        blocks = [{"type": "text", "text": blocks}]
    if _texts(blocks) != _texts(content) or len(blocks) != len(content):
        raise Mismatch("the CLI changed the newest message")
    marks = blocks[-1].get(_MARK) or next((note["content"][-1].get(_MARK) for note in notes if note["content"]), None)
    # A note with text would tell the model about this host; one without only carries the turn's effort.
    return _Newest(marks, [note for note in notes if not note.get("content")])


def _texts(blocks: Any) -> list[str]:
    return [_scalar_text(block["text"]) for block in blocks if block.get("type") == "text"]


def _scalar_text(text: str) -> str:
    """Lone surrogates come back from the CLI as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _system(blocks: object, system: str) -> list[dict[str, Any]]:
    """The CLI's system blocks with the placeholder exchanged for the client's prompt, taken out if that is empty."""
    if not isinstance(blocks, list):
        raise Mismatch("the CLI's request has no system blocks")
    at = [index for index, block in enumerate(blocks) if block.get("text") == SYSTEM_PLACEHOLDER]
    if len(at) != 1:
        raise Mismatch("the CLI's request does not hold the system prompt's place")
    middle = [blocks[at[0]] | {"text": system}] if system else []
    return [*blocks[: at[0]], *middle, *blocks[at[0] + 1 :]]


def _messages(spec: RunSpec, newest: _Newest) -> list[dict[str, Any]]:
    """All turns, the CLI's notes behind the first user message and its cache mark on the last block: its own shape."""
    messages: list[dict[str, Any]] = [{"role": turn.role, "content": list(turn.content)} for turn in spec.turns]
    last = messages[-1]["content"]
    if newest.marks and last:
        last[-1] = last[-1] | {_MARK: newest.marks}
    first_user = next(index for index, message in enumerate(messages) if message["role"] == "user")
    return [*messages[: first_user + 1], *newest.notes, *messages[first_user + 1 :]]


def _sampling(body: dict[str, Any], spec: RunSpec) -> None:
    """The upstream takes temperature and top_p only from a call that does not think."""
    _without_thinking(body)
    if spec.temperature is not None:
        body["temperature"] = spec.temperature
    if spec.top_p is not None:
        body["top_p"] = spec.top_p


def _without_thinking(body: dict[str, Any]) -> None:
    body.pop("thinking", None)
    body.pop("context_management", None)  # its only edit clears thinking, and is refused without
