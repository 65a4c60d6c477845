"""A job as an object of the Responses API. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from apps.api.openai.answers import usage as chat_usage
from apps.api.openai.answers import x_claude
from apps.api.outcomes import of_job

_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}


def response_id(job_id: str) -> str:
    """The id of the response that a job is."""
    return f"resp_{job_id.removeprefix('job_')}"


def job_id(response: str) -> str:
    """The id of the job that a response is."""
    return f"job_{response.removeprefix('resp_')}"


def response(job: Mapping[str, Any], echo: Mapping[str, Any]) -> dict[str, Any]:
    """The response object; `echo` is what the request said of how it wants to be answered."""
    ended = job["status"] not in ("queued", "in_progress")
    return {
        "id": response_id(job["id"]),
        "object": "response",
        "created_at": int(job["created_at"]),
        "status": _status(job),
        "background": bool(echo.get("background")),
        "error": _error(job),
        "incomplete_details": _incomplete(job),
        "instructions": echo.get("instructions"),
        "max_output_tokens": echo.get("max_output_tokens"),
        "metadata": echo.get("metadata") or {},
        "model": job["model"],
        "output": output(job) if ended else [],
        "parallel_tool_calls": echo.get("parallel_tool_calls") is not False,
        "previous_response_id": echo.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None, **(echo.get("reasoning") or {})},
        "service_tier": "default",
        "store": echo.get("store") is not False,
        "temperature": _or_one(echo.get("temperature")),
        "text": {"format": {"type": "text"}, **(echo.get("text") or {})},
        "tool_choice": echo.get("tool_choice") or "auto",
        "tools": echo.get("tools") or [],
        "top_p": _or_one(echo.get("top_p")),
        "truncation": "disabled",
        "usage": usage(job) if ended else None,
        "user": echo.get("user"),
        "x_claude": x_claude(dict(job)),
    }


def output(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer's items."""
    content = job["content"] or ([{"type": "text", "text": job["result"]}] if job["result"] else [])
    key = job["id"].removeprefix("job_")
    items = (_item(block, f"{key}_{index}") for index, block in enumerate(content))
    return [item for item in items if item]


def _item(block: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    match block["type"]:
        case "text":
            return message(key, block["text"])
        case "tool_use":
            return function_call(key, block["id"], block["name"], json.dumps(block["input"]))
        case "thinking":
            return reasoning(key, block["thinking"])
    return None


def message(key: str, text: str | None, status: str = "completed") -> dict[str, Any]:
    """An item of text; None where none has been written yet."""
    content = [] if text is None else [part(text)]
    return {"id": f"msg_{key}", "type": "message", "status": status, "role": "assistant", "content": content}


def part(text: str) -> dict[str, Any]:
    """A part of an item of text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def function_call(key: str, call_id: str, name: str, arguments: str, status: str = "completed") -> dict[str, Any]:
    """An item that calls a function of the client's."""
    call = {"id": f"fc_{key}", "type": "function_call", "status": status}
    return {**call, "call_id": call_id, "name": name, "arguments": arguments}


def reasoning(key: str, text: str | None) -> dict[str, Any]:
    """An item of thinking."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": f"rs_{key}", "type": "reasoning", "summary": summary}


def usage(job: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens, in this API's words."""
    counts = chat_usage(dict(job))
    return {
        "input_tokens": counts["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": counts["prompt_tokens_details"]["cached_tokens"]},
        "output_tokens": counts["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": counts["completion_tokens_details"]["reasoning_tokens"]},
        "total_tokens": counts["total_tokens"],
    }


def _status(job: Mapping[str, Any]) -> str:
    if job["status"] == "completed" and job["stop_reason"] in _INCOMPLETE:
        return "incomplete"
    return str(job["status"])


def _incomplete(job: Mapping[str, Any]) -> dict[str, str] | None:
    reason = _INCOMPLETE.get(job["stop_reason"] or "") if job["status"] == "completed" else None
    return {"reason": reason} if reason else None


def _error(job: Mapping[str, Any]) -> dict[str, str] | None:
    if job["status"] != "failed":
        return None
    problem = of_job(job)
    return {"code": problem.code, "message": problem.message}


def _or_one(value: Any) -> Any:
    return 1.0 if value is None else value
