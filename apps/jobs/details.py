"""What a run left besides its text, as it is kept in the job's row. Pure.

A plain text answer leaves nothing, and its row has NULL. Keys: `content` (the answer's blocks, as in the Messages API),
`structured_output`, `num_turns`, `tools_used`, `permission_denials`, `artifacts`, `attribution` (micro-dollars by ref).
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
        "attribution": dict(outcome.attribution),
    }
    kept = {name: value for name, value in found.items() if value not in (None, [], {})}
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
        "attribution": {},
    }
    return absent | dict(details or {})


def _denial(denied: Denied) -> dict[str, Any]:
    return {"tool": denied.name, "tool_use_id": denied.id, "input": denied.input, "reason": denied.reason}
