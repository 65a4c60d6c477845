"""What a change changed, as the record keeps it: `{"before": {…}, "after": {…}}`."""

from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Only the fields that differ; one that a side lacks is on the other side only. Empty when nothing changed."""
    names = [
        name
        for name in [*before, *(name for name in after if name not in before)]
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]
    if not names:
        return {}
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }
