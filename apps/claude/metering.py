"""Reads what a call used out of the upstream's own answer, while it streams past."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from apps.claude import pricing
from apps.claude.spec import Call, Usage

_SPOKEN = frozenset({"text", "thinking", "partial_json"})
_CHARACTERS_PER_TOKEN = 4
"""For estimates only: of a cut answer's output, and of a prompt whose answer never began."""


@dataclass(slots=True)
class Meter:
    """One upstream call being measured. Feed it the answer's bytes; `call()` is its state at any time."""

    id: str
    model: str
    prompt_bytes: int
    searches: int = 0
    """Web searches that the upstream made for it; they have a price of their own."""
    message_id: str = ""
    """The upstream's own id of the answer, once it began."""
    status: int = 0
    usage: Usage = field(default_factory=Usage)
    began: bool = False
    exact: bool = False
    thinking_tokens: int = 0
    """Of the output, as far as the upstream tells."""
    error: bytes | None = None
    """The error event that ended the stream, where one did."""
    started_at: float = field(default_factory=time.time)
    _started: float = field(default_factory=time.monotonic)
    _first_token: float | None = None
    _ended: float | None = None
    _characters: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of an event stream, cut anywhere."""
        self._buffer += chunk
        *events, rest = self._buffer.split(b"\n\n")
        self._buffer = rest
        for event in events:
            self._event(bytes(event))

    def feed_json(self, body: bytes) -> None:
        """Take a whole answer that was not streamed."""
        try:
            answer = json.loads(body)
            self.message_id = str(answer.get("id", ""))
            self._began(answer.get("usage") or {})
            self.usage = _usage(answer.get("usage") or {}, self.usage)
        except (ValueError, AttributeError, TypeError):
            return
        self.exact = True

    def end(self) -> None:
        """The answer is over, whole or cut."""
        self._ended = self._ended or time.monotonic()

    def call(self) -> Call:
        """What this call has used so far, and what that costs."""
        usage = self._estimate()
        cost = pricing.cost_microusd(self.model, usage)
        refused = self.status >= 400 and not self.began
        return Call(
            id=self.id,
            model=self.model,
            usage=usage,
            cost_microusd=(cost or 0) + self.searches * pricing.SEARCH_MICROUSD,
            priced=cost is not None,
            estimated=not self.exact and not refused,
            status=self.status,
            price_version=pricing.VERSION,
            started_at=self.started_at,
            duration_seconds=round((self._ended or time.monotonic()) - self._started, 6),
            first_token_seconds=self._first_token,
        )

    def _estimate(self) -> Usage:
        """The upstream's own figures where it gave them; the rest from sizes. A refused call used nothing."""
        if self.exact or (self.status >= 400 and not self.began):
            return self.usage
        if not self.began:
            return Usage(input_tokens=-(-self.prompt_bytes // _CHARACTERS_PER_TOKEN))
        streamed = -(-self._characters // _CHARACTERS_PER_TOKEN)
        return self.usage + Usage(output_tokens=max(0, streamed - self.usage.output_tokens))

    def _event(self, event: bytes) -> None:
        start = event.find(b"data:")
        if start < 0:
            return
        try:
            data: dict[str, Any] = json.loads(event[start + 5 :])
            kind = data.get("type")
            if kind == "content_block_delta":
                self._delta(data["delta"])
            elif kind == "message_start":
                self.message_id = str(data["message"].get("id", ""))
                self._began(data["message"].get("usage") or {})
            elif kind == "message_delta":
                told = data.get("usage") or {}
                self.usage = _usage(told, self.usage)
                self.exact = True
                self._searched(told)
                self.thinking_tokens = int((told.get("output_tokens_details") or {}).get("thinking_tokens") or 0)
            elif kind == "error":
                self.error = bytes(event[start + 5 :]).strip()
        except (ValueError, KeyError, AttributeError, TypeError):
            return  # not an event of the Messages API: the CLI will judge it, there is nothing to count

    def _began(self, usage: dict[str, Any]) -> None:
        self.began = True
        self.usage = _usage(usage, self.usage)
        self._searched(usage)

    def _searched(self, usage: dict[str, Any]) -> None:
        told = (usage.get("server_tool_use") or {}).get("web_search_requests")
        self.searches = max(self.searches, told) if isinstance(told, int) else self.searches

    def _delta(self, delta: dict[str, Any]) -> None:
        if self._first_token is None:
            self._first_token = round(time.monotonic() - self._started, 6)
        self._characters += sum(len(value) for key, value in delta.items() if key in _SPOKEN and isinstance(value, str))


def _usage(raw: dict[str, Any], before: Usage) -> Usage:
    """The upstream's usage block; figures it leaves out stand as they were."""

    def figure(name: str, old: int) -> int:
        value = raw.get(name)
        return value if isinstance(value, int) else old

    split = raw.get("cache_creation")
    if isinstance(split, dict):
        written_1h = int(split.get("ephemeral_1h_input_tokens") or 0)
        written_5m = int(split.get("ephemeral_5m_input_tokens") or 0)
    else:
        written_1h = before.cache_creation_1h_input_tokens
        written_5m = figure("cache_creation_input_tokens", before.cache_creation_input_tokens) - written_1h
    return Usage(
        input_tokens=figure("input_tokens", before.input_tokens),
        output_tokens=figure("output_tokens", before.output_tokens),
        cache_read_input_tokens=figure("cache_read_input_tokens", before.cache_read_input_tokens),
        cache_creation_5m_input_tokens=max(0, written_5m),
        cache_creation_1h_input_tokens=written_1h,
    )
