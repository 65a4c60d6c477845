"""A job as OpenAI's chat completion. Pure.

`job` is always the job object of the wire, as the terminal event carries it.
"""

import json
from typing import Any

FINISH_REASONS = {
    "tool_use": "tool_calls",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


def completion_id(job_id: str) -> str:
    """OpenAI's id of the answer that a job gives."""
    return f"chatcmpl-{job_id.removeprefix('job_')}"


def finish_reason(stop_reason: str | None) -> str:
    """OpenAI's word for Anthropic's; unknown ones are an ordinary stop."""
    return FINISH_REASONS.get(stop_reason or "", "stop")


def usage(job: dict[str, Any]) -> dict[str, Any]:
    """Token counts: the prompt is all that was read, cached and freshly cached input included."""
    counts = job["usage"]
    read, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
    prompt, completion = counts["input_tokens"] + read + written, counts["output_tokens"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": job.get("thinking_tokens", 0), "audio_tokens": 0},
    }


def x_claude(job: dict[str, Any]) -> dict[str, Any]:
    """What OpenAI has no field for."""
    counts = job["usage"]
    return {
        "job_id": job["id"],
        "model": job["model"],
        "session_id": job.get("session_id"),
        "routed_from": job.get("routed_from"),
        "route": job.get("route"),
        "cost_usd": job["cost_usd"],
        "stop_reason": job["stop_reason"],
        "input_tokens": counts["input_tokens"],
        "output_tokens": counts["output_tokens"],
        "cache_read_input_tokens": counts["cache_read_input_tokens"],
        "cache_creation_input_tokens": counts["cache_creation_input_tokens"],
        "overhead_tokens": job.get("overhead_tokens", 0),
    }


def message(job: dict[str, Any], *, reasoning: bool) -> dict[str, Any]:
    """What the assistant says and which functions it calls; `reasoning` tells what it thought, too."""
    blocks = job.get("content") or []
    called = [_call(block) for block in blocks if block["type"] == "tool_use"]
    said: dict[str, Any] = {"role": "assistant", "content": job["result"] or "", "refusal": None, "annotations": []}
    if called:
        said |= {"content": job["result"] or None, "tool_calls": called}
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    return said | {"reasoning_content": thought} if reasoning and thought else said


def _call(block: dict[str, Any]) -> dict[str, Any]:
    """A call; arguments that were cut off are given as far as they came."""
    arguments = block.get("unparsed") or json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": arguments}}


def completion(job: dict[str, Any], *, created: int, reasoning: bool = False) -> dict[str, Any]:
    """The answer to a request without `stream`. `created` is in Unix seconds."""
    choice = {
        "index": 0,
        "message": message(job, reasoning=reasoning),
        "logprobs": None,
        "finish_reason": finish_reason(job["stop_reason"]),
    }
    return {
        "id": completion_id(job["id"]),
        "object": "chat.completion",
        "created": created,
        "model": job["model"],
        "choices": [choice],
        "usage": usage(job),
        "system_fingerprint": None,
        "service_tier": None,
        "x_claude": x_claude(job),
    }
