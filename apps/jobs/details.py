"""What a run left besides its text, as it is kept in the job's row. Pure.

Where nothing was left the row has NULL. Keys: `content` (the answer's blocks, as in the Messages API),
`structured_output`, `num_turns`, `tools_used`, `permission_denials`, `artifacts`, `artifacts_skipped` (what was left
and not kept, the first of it) and `artifacts_skipped_count` (all of it), `attribution` (micro-dollars by ref),
`web_search_requests`, `thinking_tokens` (of the output) and `overhead_tokens` (of the prompt: about what was not the
client's).
"""

from collections.abc import Mapping
from typing import Any

from apps.claude.spec import Denied, Outcome


def of(outcome: Outcome) -> dict[str, Any] | None:
    """The column's value for an outcome."""
    found: dict[str, Any] = {
        "content": list(outcome.content),
        "structured_output": outcome.structured_output,
        "num_turns": outcome.num_turns if outcome.num_turns != 1 else None,
        "tools_used": list(outcome.tools_used),
        "permission_denials": [_denial(denied) for denied in outcome.denials],
        "artifacts": [
            {"name": each.name, "size": each.size, "media_type": each.media_type, "sha256": each.sha256}
            for each in outcome.artifacts
        ],
        "artifacts_skipped": [
            {"name": each.name, "reason": each.reason, "size": each.size} for each in outcome.artifacts_skipped
        ],
        "artifacts_skipped_count": outcome.artifacts_skipped_count or None,
        "attribution": dict(outcome.attribution),
        "web_search_requests": outcome.web_search_requests or None,
        "thinking_tokens": outcome.thinking_tokens or None,
        "overhead_tokens": outcome.overhead_tokens or None,
    }
    kept = {name: value for name, value in found.items() if value not in (None, [], {}) or _is_answer(name, value)}
    return kept or None


def read(details: Mapping[str, Any] | None) -> dict[str, Any]:
    """Every key of the column, with what an absent one stands for."""
    absent: dict[str, Any] = {
        "content": [],
        "structured_output": None,
        "num_turns": 1,
        "tools_used": [],
        "permission_denials": [],
        "artifacts": [],
        "artifacts_skipped": [],
        "artifacts_skipped_count": 0,
        "attribution": {},
        "web_search_requests": 0,
        "thinking_tokens": 0,
        "overhead_tokens": 0,
    }
    return absent | dict(details or {})


def _is_answer(name: str, value: object) -> bool:
    """An empty object may be just what a schema asked for."""
    return name == "structured_output" and value is not None


def _denial(denied: Denied) -> dict[str, Any]:
    return {"tool": denied.name, "tool_use_id": denied.id, "input": denied.input, "reason": denied.reason}
