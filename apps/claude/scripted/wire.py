"""The Messages API's bytes: a message as JSON, its server-sent events, errors. Pure functions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as dumped

from apps.claude.scripted import tokens
from apps.claude.scripted.caching import InputUsage

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SIGNATURE = "c2NyaXB0ZWQtbW9kZWw="


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an answer. `text` is a text or thinking block's text, else its input or content as JSON."""

    kind: str
    text: str
    id: str = ""
    name: str = ""

    @property
    def tokens(self) -> int:
        """What the block costs as output; what a search has found is none."""
        if self.kind == "web_search_tool_result":
            return 0
        return tokens.count(self.text) + tokens.count(self.name)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer of the scripted model."""

    id: str
    model: str
    blocks: tuple[Block, ...]
    stop_reason: str
    stop_sequence: str | None = None
    usage: dict[str, object] = field(default_factory=dict)


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def dump(value: object) -> bytes:
    """Compact JSON; a lone surrogate, which JSON can carry and UTF-8 cannot, becomes `?`."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def usage(prompt: InputUsage, output_tokens: int, override: Mapping[str, object]) -> dict[str, object]:
    """The `usage` object of an answer; `override` replaces single counts, and the cache split follows its sum."""
    written = prompt.cache_creation_5m_tokens + prompt.cache_creation_1h_tokens
    split = {
        "ephemeral_5m_input_tokens": prompt.cache_creation_5m_tokens,
        "ephemeral_1h_input_tokens": prompt.cache_creation_1h_tokens,
    }
    if "cache_creation_input_tokens" in override:
        split = {"ephemeral_5m_input_tokens": override["cache_creation_input_tokens"], "ephemeral_1h_input_tokens": 0}  # type: ignore[dict-item]
    return {
        "input_tokens": prompt.input_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": prompt.cache_read_tokens,
        "cache_creation": split,
        "output_tokens": output_tokens,
        "service_tier": "standard",
        **override,
    }


def message(answer: Answer) -> dict[str, object]:
    """The answer to a request without `stream`."""
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [_content(block) for block in answer.blocks],
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "usage": answer.usage,
    }


def _content(block: Block) -> dict[str, object]:
    match block.kind:
        case "text":
            return {"type": "text", "text": block.text}
        case "thinking":
            return {"type": "thinking", "thinking": block.text, "signature": _SIGNATURE}
        case "web_search_tool_result":
            return {"type": block.kind, "tool_use_id": block.id, "content": json.loads(block.text)}
        case _:
            return {"type": block.kind, "id": block.id, "name": block.name, "input": json.loads(block.text)}


def event(kind: str, **fields: object) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dump({"type": kind, **fields}))


def opening(answer: Answer) -> bytes:
    """`message_start` (whose output count is the usual 1) and the first ping."""
    started = {**message(answer), "content": [], "stop_reason": None, "stop_sequence": None}
    started["usage"] = {**answer.usage, "output_tokens": 1}
    return event("message_start", message=started) + PING


def closing(answer: Answer) -> bytes:
    """`message_delta` with the final counts, and `message_stop`."""
    counts = {key: value for key, value in answer.usage.items() if key.endswith("_tokens") or key == "server_tool_use"}
    if thought := sum(block.tokens for block in answer.blocks if block.kind == "thinking"):
        counts["output_tokens_details"] = {"thinking_tokens": thought}
    delta = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
    return event("message_delta", delta=delta, usage=counts) + event("message_stop")


def deltas(blocks: tuple[Block, ...], piece_tokens: int, *, whole: bool = True) -> Iterator[tuple[bytes, int]]:
    """The content events and how many tokens each carries; without `whole` the last block is left open."""
    for index, block in enumerate(blocks):
        yield _block_start(index, block), 0
        size = piece_tokens * tokens.CHARACTERS_PER_TOKEN
        if block.kind.endswith("tool_use"):
            # The name is paid with the first piece: it is output too.
            yield _delta(index, "input_json_delta", "partial_json", ""), tokens.count(block.name)
        kind, key = _DELTAS.get(block.kind, ("", ""))
        for start in range(0, len(block.text) if kind else 0, size):
            part = block.text[start : start + size]
            yield _delta(index, kind, key, part), tokens.count(part)
        if block.kind == "thinking":
            yield _delta(index, "signature_delta", "signature", _SIGNATURE), 0
        if whole or index < len(blocks) - 1:
            yield event("content_block_stop", index=index), 0


_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
    "server_tool_use": ("input_json_delta", "partial_json"),
}


def _block_start(index: int, block: Block) -> bytes:
    match block.kind:
        case "text":
            content: dict[str, object] = {"type": "text", "text": ""}
        case "thinking":
            content = {"type": "thinking", "thinking": "", "signature": ""}
        case "web_search_tool_result":
            content = _content(block)
        case _:
            content = {"type": block.kind, "id": block.id, "name": block.name, "input": {}}
    return event("content_block_start", index=index, content_block=content)


def _delta(index: int, kind: str, key: str, text: str) -> bytes:
    # Written out because there are so many of them; the other events are rare.
    data = f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{key}":{dumped(text)}}}}}'
    return b"event: content_block_delta\ndata: " + data.encode("utf-8", "replace") + b"\n\n"


def error(
    status: int, text: str | None, *, kind: str | None = None, request_id: str | None = None
) -> dict[str, object]:
    """An error's body; `kind` defaults to what the API says with that status, the text to the kind."""
    kind = kind or ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    message = text or kind.removesuffix("_error").replace("_", " ").capitalize()
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}
