"""The CLI's stream-json protocol: raw frames stop here, typed ones go on.

Reference: the claude-agent-sdk's `_internal/query.py` and `message_parser.py`. Unknown frames are None, never fatal.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BlockStart:
    """A block of the answer begins: text, thinking, tool_use. `block` is the Messages API's, still empty."""

    index: int
    block: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of visible thinking."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class SignatureDelta:
    """The upstream's seal on a block of thinking, without which it is not taken back."""

    index: int
    signature: str


@dataclass(frozen=True, slots=True)
class InputDelta:
    """A piece of the JSON of a tool call's arguments."""

    index: int
    partial_json: str


@dataclass(frozen=True, slots=True)
class AnswerStop:
    """The model said why it stopped; nothing of this answer follows."""

    stop_reason: str | None
    stop_sequence: str | None


@dataclass(frozen=True, slots=True)
class ControlReply:
    """The CLI's answer to a control request of ours."""

    request_id: str
    response: dict[str, Any]
    error: str | None


@dataclass(frozen=True, slots=True)
class ControlAsk:
    """A control request of the CLI (a hook, a permission, an MCP message) that waits for our answer."""

    request_id: str
    subtype: str


@dataclass(frozen=True, slots=True)
class Result:
    """The CLI's word that a turn is over. `is_error` counts, the subtype does not."""

    is_error: bool
    api_error_status: int | None
    total_cost_usd: float
    """Cumulative over the life of the process."""
    text: str


@dataclass(frozen=True, slots=True)
class Nudge:
    """Not the CLI's: wakes whoever waits for a frame, because something else happened."""


class OtherFrame:
    """A frame that only a parser of its own knows, such as a task's."""

    __slots__ = ()


Piece = BlockStart | TextDelta | ThinkingDelta | SignatureDelta | InputDelta
"""What an answer is made of."""
Frame = Piece | AnswerStop | ControlReply | ControlAsk | Result | Nudge | OtherFrame


def parse(line: bytes) -> Frame | None:
    """One line of the CLI's stdout as a frame; None for what is not JSON or does not concern us."""
    try:
        raw = json.loads(line)
    except ValueError:
        return None
    if not isinstance(raw, dict):
        return None
    match raw.get("type"):
        case "stream_event":
            return _stream_event(raw)
        case "control_response":
            return _control_reply(raw.get("response"))
        case "control_request":
            return ControlAsk(str(raw.get("request_id")), str((raw.get("request") or {}).get("subtype")))
        case "result":
            return Result(
                is_error=bool(raw.get("is_error")),
                api_error_status=raw.get("api_error_status"),
                total_cost_usd=float(raw.get("total_cost_usd") or 0),
                text=str(raw.get("result") or ""),
            )
    return None


def _stream_event(raw: dict[str, Any]) -> Frame | None:
    event = raw.get("event")
    if not isinstance(event, dict):
        return None
    index, delta = event.get("index"), event.get("delta")
    match event.get("type"):
        case "content_block_delta" if isinstance(index, int) and isinstance(delta, dict):
            return _delta(index, delta)
        case "content_block_start" if isinstance(index, int) and isinstance(event.get("content_block"), dict):
            return BlockStart(index, event["content_block"])
        case "message_delta" if isinstance(delta, dict):
            return AnswerStop(delta.get("stop_reason"), delta.get("stop_sequence"))
    return None


def _delta(index: int, delta: dict[str, Any]) -> Piece | None:
    match delta.get("type"):
        case "text_delta":
            return TextDelta(index, str(delta.get("text", "")))
        case "input_json_delta":
            return InputDelta(index, str(delta.get("partial_json", "")))
        case "thinking_delta":
            return ThinkingDelta(index, str(delta.get("thinking", "")))
        case "signature_delta":
            return SignatureDelta(index, str(delta.get("signature", "")))
    return None


def _control_reply(response: object) -> ControlReply | None:
    if not isinstance(response, dict):
        return None
    error = response.get("error") if response.get("subtype") == "error" else None
    payload = response.get("response")
    return ControlReply(
        request_id=str(response.get("request_id")),
        response=payload if isinstance(payload, dict) else {},
        error=str(error) if error is not None else None,
    )


def control_request(request_id: str, subtype: str, **fields: Any) -> bytes:
    """A control request of ours as one line."""
    request = {"subtype": subtype, **fields}
    return _line({"type": "control_request", "request_id": request_id, "request": request})


def control_refusal(request_id: str) -> bytes:
    """The answer to a control request that a tool-less chat has no business to make."""
    response = {"subtype": "error", "request_id": request_id, "error": "not available"}
    return _line({"type": "control_response", "response": response})


def user_message(uuid: str, content: list[dict[str, Any]]) -> bytes:
    """A user message as one line. `client_composed` makes the CLI take it verbatim: no /commands, no @files."""
    return _line(
        {
            "type": "user",
            "uuid": uuid,
            "session_id": "",
            "parent_tool_use_id": None,
            "client_composed": True,
            "message": {"role": "user", "content": content},
        }
    )


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
