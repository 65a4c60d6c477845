"""What a project has used, as values. `raw` is always the whole JSON."""

from dataclasses import dataclass, field
from typing import Self

from claude_code_client.results import Json, Tokens


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a step of time, or a group, came to."""

    group: Json
    """What it was grouped by: start and end of the step, key, model, kind …"""
    requests: int
    usage: Tokens
    cost_usd: float
    raw: Json = field(repr=False)

    @classmethod
    def read(cls, data: Json, group_by: list[str]) -> Self:
        """From a row of `/v1/usage`, or its total."""
        places = ("start", "end", *group_by)
        return cls(
            group={name: data[name] for name in places if name in data},
            requests=int(data["requests"]),
            usage=Tokens.read(data["usage"]),
            cost_usd=float(data["cost_usd"]),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of the key's project."""

    rows: list[UsageRow]
    total: UsageRow
    raw: Json = field(repr=False)

    @classmethod
    def read(cls, data: Json) -> Self:
        """From `/v1/usage`."""
        group_by = list(data["group_by"])
        return cls([UsageRow.read(row, group_by) for row in data["data"]], UsageRow.read(data["total"], []), data)
