"""Prompt caching as the Messages API does it: usage depends on which marked prefixes were seen before.

A prompt is the sequence of its blocks: tools, then system, then messages. A block with `cache_control` marks the
prefix that ends with it; the prefix is remembered for 5 minutes, or 1 hour with `"ttl": "1h"`, and each use renews
it. A mark also finds prefixes remembered up to 20 blocks before it. What the longest remembered prefix holds is read,
what the last mark adds to it is written, the rest is plain input. Unlike the real API there is no minimum length, so
that small tests see caching too.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from apps.claude.scripted import tokens

LOOK_BACK_BLOCKS = 20
MAX_MARKS = 4
MAX_PREFIXES = 20_000
_PLAIN_TEXT = {"type", "text", "cache_control"}
TTL_SECONDS = {"5m": 300.0, "1h": 3600.0}


class BadMark(ValueError):
    """The request's cache marks break the API's rules."""


@dataclass(frozen=True, slots=True)
class InputUsage:
    """How the tokens of one prompt are billed."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_5m_tokens: int = 0
    cache_creation_1h_tokens: int = 0


class PromptCache:
    """What the scripted model remembers of earlier prompts, per scope (credential and model)."""

    def __init__(self) -> None:
        self._expiry: OrderedDict[bytes, float] = OrderedDict()

    def bill(self, body: Mapping[str, object], *, scope: str, now: float) -> InputUsage:
        """The usage of a prompt, which is remembered from now on. `now` in seconds. Raises `BadMark`."""
        hasher, size = blake2b(scope.encode("utf-8", "replace"), digest_size=16), 0
        ends, digests, marks = [0], [], list[tuple[int, str]]()
        for index, (place, block) in enumerate(_blocks(body)):
            hasher.update(_identity(place, block))
            digests.append(hasher.digest())
            ends.append(size := size + tokens.count_block(block))
            if isinstance(mark := block.get("cache_control"), dict):
                marks.append((index, "1h" if mark.get("ttl") == "1h" else "5m"))
        _check([ttl for _, ttl in marks])
        known = done = max((self._found(digests, index, now) for index, _ in marks), default=0)
        written = {"5m": 0, "1h": 0}
        for index, ttl in marks:
            if index + 1 > done:
                written[ttl] += ends[index + 1] - ends[done]
                done = index + 1
            self._remember(digests[index], now + TTL_SECONDS[ttl])
        return InputUsage(size - ends[done], ends[known], written["5m"], written["1h"])

    def clear(self) -> None:
        """Forget every prefix."""
        self._expiry.clear()

    def _found(self, digests: list[bytes], mark: int, now: float) -> int:
        """How many blocks the longest remembered prefix at or before a mark has."""
        for index in range(mark, max(-1, mark - LOOK_BACK_BLOCKS), -1):
            if self._expiry.get(digests[index], 0.0) > now:
                return index + 1
        return 0

    def _remember(self, digest: bytes, expiry: float) -> None:
        self._expiry[digest] = max(expiry, self._expiry.get(digest, 0.0))
        self._expiry.move_to_end(digest)
        if len(self._expiry) > MAX_PREFIXES:
            self._expiry.popitem(last=False)


def count(body: Mapping[str, object]) -> int:
    """All tokens of a prompt, as `count_tokens` answers them."""
    return sum(tokens.count_block(block) for _, block in _blocks(body))


def _check(ttls: list[str]) -> None:
    if len(ttls) > MAX_MARKS:
        raise BadMark(f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {len(ttls)}.")
    if ttls != sorted(ttls):  # "1h" sorts before "5m"
        raise BadMark("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")


def _identity(place: bytes, block: Mapping[str, object]) -> bytes:
    """What distinguishes a block from others: where it stands and all it says, but for its cache mark."""
    if block.get("type") == "text" and isinstance(text := block.get("text"), str) and block.keys() <= _PLAIN_TEXT:
        return place + text.encode("utf-8", "surrogatepass")
    return place + json.dumps({key: value for key, value in block.items() if key != "cache_control"}).encode()


def _blocks(body: Mapping[str, object]) -> Iterator[tuple[bytes, Mapping[str, object]]]:
    """Every block of a prompt in order, with a label of where it stands; a plain string is one text block."""
    for tool in _listed(body.get("tools")):
        yield b"\0tool\0", tool
    for block in _listed(body.get("system")):
        yield b"\0system\0", block
    for message in _listed(body.get("messages")):
        place = f"\0{message.get('role')}\0".encode("utf-8", "replace")
        for block in _listed(message.get("content")):
            yield place, block


def _listed(value: object) -> list[Mapping[str, object]]:
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
