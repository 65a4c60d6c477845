"""A model's answer as it comes in: its pieces as events, and in the end its blocks. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

from apps.claude.protocol import BlockStart, InputDelta, Piece, SignatureDelta, TextDelta, ThinkingDelta
from apps.claude.spec import Content, Event, Signature, Text, Thinking, ToolInput, ToolUse


@dataclass(slots=True)
class _Block:
    start: dict[str, Any]
    pieces: list[str] = field(default_factory=list)
    signature: str = ""

    def whole(self) -> dict[str, Any]:
        said = "".join(self.pieces)
        match self.start.get("type"):
            case "text":
                return {"type": "text", "text": str(self.start.get("text", "")) + said}
            case "thinking":
                return {"type": "thinking", "thinking": said, "signature": self.signature}
            case "tool_use":
                head = {"type": "tool_use", "id": self.start["id"], "name": self.start["name"]}
                return head | _arguments(said)
        return self.start


@dataclass(slots=True)
class Answer:
    """What was heard of one answer."""

    _blocks: dict[int, _Block] = field(default_factory=dict)

    def hear(self, piece: Piece) -> Event | None:
        """Take the next piece; the event that tells it, if it tells anything."""
        if isinstance(piece, BlockStart):
            self._blocks[piece.index] = _Block(piece.block)
            if piece.block.get("type") == "tool_use":
                return ToolUse(str(piece.block["id"]), str(piece.block["name"]), None)
            return None
        block = self._blocks.get(piece.index)
        if block is None:
            return None
        match piece:
            case TextDelta(_, text):
                block.pieces.append(text)
                return Text(text) if text else None
            case ThinkingDelta(_, text):
                block.pieces.append(text)
                return Thinking(text) if text else None
            case InputDelta(_, partial_json):
                block.pieces.append(partial_json)
                return ToolInput(str(block.start.get("id")), partial_json) if partial_json else None
            case SignatureDelta(_, signature):
                block.signature += signature
                return Signature(signature) if signature else None

    @property
    def begun(self) -> bool:
        """Whether anything was heard."""
        return bool(self._blocks)

    @property
    def text(self) -> str:
        """Its text blocks, joined."""
        return "".join(piece for block in self._in_order("text") for piece in block.pieces)

    def content(self) -> Content:
        """Its blocks; none where it is one text, or nothing at all."""
        blocks = self._in_order()
        if [block.start.get("type") for block in blocks] in ([], ["text"]):
            return ()
        return tuple(block.whole() for block in blocks)

    def tools_used(self) -> tuple[str, ...]:
        """The names of the tools it asks for, each once."""
        return tuple(dict.fromkeys(str(block.start["name"]) for block in self._in_order("tool_use")))

    def _in_order(self, kind: str = "") -> list[_Block]:
        ordered = (self._blocks[index] for index in sorted(self._blocks))
        return [block for block in ordered if not kind or block.start.get("type") == kind]


def _arguments(text: str) -> dict[str, Any]:
    """A tool call's input; one that is no JSON object, because the answer was cut, is kept as it came."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        value = None
    return {"input": value} if isinstance(value, dict) else {"input": {}, "unparsed": text}
