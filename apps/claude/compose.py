"""The request that goes upstream: what the CLI asked, completed with the conversation that the CLI never held.

A live chat process is given the newest message only. System prompt, earlier turns, functions and sampling parameters
are put in here, exactly as the client sent them; whatever else the CLI's request holds is refused. So a conversation
cannot leak through a live process even if its rewind failed: a leftover message ends the process instead of reaching
the upstream. Why not through the CLI's own protocol: docs/decisions/0002-the-egress-composes.md.
"""

from dataclasses import dataclass
from typing import Any

from apps.claude import options
from apps.claude.launch import SYSTEM_PLACEHOLDER
from apps.claude.spec import Content, RunSpec

_MARK = "cache_control"
_CHARACTERS_PER_TOKEN = 4


class Mismatch(Exception):
    """The CLI's request is not the one this run must make; the process cannot be trusted any more."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """The CLI's own rendering of the newest message, and its notes that carry no text (the effort of the turn)."""

    marks: dict[str, Any] | None
    notes: list[dict[str, Any]]


def shown(spec: RunSpec) -> Content:
    """What the CLI is told of the newest message: its words, and a stand-in of this run's own for everything else.

    A tool's result has no place in a conversation whose calls the CLI never saw, and the CLI would look into images and
    files, and may change or refuse them.
    """
    return tuple(
        {"type": "text", "text": block["text"]}
        if block.get("type") == "text" and block["text"].strip()
        else {"type": "text", "text": f"[{block.get('type')} {index} of {spec.job_id}]"}
        for index, block in enumerate(spec.turns[-1].content)
    )


def chat_request(asked: dict[str, Any], spec: RunSpec) -> dict[str, Any]:
    """The CLI's request body completed for this run. Raises Mismatch."""
    if asked.get("model") != spec.model:
        raise Mismatch(f"the CLI asked for model {asked.get('model')!r}")
    if asked.get("tools") or asked.get("mcp_servers") or asked.get("tool_choice"):
        raise Mismatch("the CLI offered tools in a tool-less chat")
    newest = _newest(asked.get("messages"), shown(spec))
    body = dict(asked)
    body["system"] = _system(asked.get("system"), spec.system)
    body["messages"] = _messages(spec, newest)
    if _marks_itself(spec):
        body["system"] = [_unmarked(block) for block in body["system"]]
    options.apply(body, spec)
    return body


def overhead_tokens(body: dict[str, Any], spec: RunSpec) -> int:
    """About how many tokens of the composed prompt are not the client's: what the CLI says of itself, and our notes."""
    system = sum(len(block["text"]) for block in body["system"]) - len(spec.system)
    return -(-(system + len(options.note(spec) or "")) // _CHARACTERS_PER_TOKEN)


def _newest(messages: object, expected: Content) -> _Newest:
    if not isinstance(messages, list):
        raise Mismatch("the CLI's request has no messages")
    users = [message for message in messages if message.get("role") == "user"]
    notes = [message for message in messages if message.get("role") == "system"]
    if len(users) != 1 or len(users) + len(notes) != len(messages):
        raise Mismatch("the CLI's request holds more than the newest message")
    blocks = users[0].get("content")
    if isinstance(blocks, str):
        blocks = [{"type": "text", "text": blocks}]
    if _texts(blocks) != _texts(expected) or len(blocks) != len(expected):
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
    if newest.marks and last and not _marks_itself(spec):
        last[-1] = last[-1] | {_MARK: newest.marks}
    if words := options.note(spec):
        last.append({"type": "text", "text": words})  # behind the mark: the next turn does not have it
    first_user = next(index for index, message in enumerate(messages) if message["role"] == "user")
    return [*messages[: first_user + 1], *map(dict, newest.notes), *messages[first_user + 1 :]]


def _marks_itself(spec: RunSpec) -> bool:
    """Whether the client says what is to be cached; then the CLI's marks, of which there may be four, make room."""
    blocks = [*spec.tools, *(block for turn in spec.turns for block in turn.content)]
    return any(_MARK in block for block in blocks)


def _unmarked(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != _MARK}
