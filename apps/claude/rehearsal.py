"""A run that never leaves this machine: how a new CLI warms up, and proves itself before it serves anybody.

Outside a run the egress answers the CLI from here. A fresh process is asked a question whose text would be a command
and a file mention anywhere else; its request must compose like a real one, so a CLI in which verbatim prompts, the
socket or the system prompt's place do not work is found out before a client's words reach it.
"""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from apps.claude import compose
from apps.claude.spec import RunSpec, Turn

if TYPE_CHECKING:
    from apps.claude.egress import Lane

QUESTION = "/cost @/etc/hostname !id rehearsal"
_USAGE = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


def spec(model: str) -> RunSpec:
    """The rehearsed run."""
    turns = (Turn("user", ({"type": "text", "text": QUESTION},)),)
    return RunSpec("rehearsal", "rehearsal", model, "rehearsal", turns, None, (), None, None, 0, 10.0, 10.0)


async def answer(lane: "Lane", request: web.BaseRequest, asked: dict[str, Any]) -> web.StreamResponse:
    """The rehearsed answer, in the form that was asked for; nothing goes upstream."""
    if lane.rehearsal and asked.get("stream"):
        try:
            compose.chat_request(asked, lane.rehearsal)
            lane.rehearsal_fault = None
        except (compose.Mismatch, KeyError, TypeError, AttributeError) as error:
            lane.rehearsal_fault = str(error)
    message = _message(str(asked.get("model")))
    if not asked.get("stream"):
        return web.json_response(message | {"content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn"})
    return web.Response(body=b"".join(_events(message)), content_type="text/event-stream")


def _message(model: str) -> dict[str, Any]:
    return {
        "id": "msg_rehearsal",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _USAGE,
    }


def _events(message: dict[str, Any]) -> list[bytes]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
