"""Usage as JSON objects and as CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.audit.exporting import safe_cell
from apps.jobs.usage import Figures, Row, Spread


def row_object(row: Row, zone: ZoneInfo) -> dict[str, Any]:
    """One row of the answer: where it belongs, then its figures."""
    place: dict[str, Any] = {}
    if row.starts_at and row.ends_at:
        place = {"start": local(row.starts_at, zone), "end": local(row.ends_at, zone)}
    place |= row.group
    if "key" in row.group:
        place["key_name"] = row.labels["key"]
    return place | figures_object(row.figures)


def figures_object(figures: Figures) -> dict[str, Any]:
    """The figures of a group of requests. Money is in US dollars."""
    return {
        "requests": figures.requests,
        "completed": figures.completed,
        "failed": figures.failed,
        "cancelled": figures.cancelled,
        "refused": figures.refused,
        "errors": dict(figures.errors),
        "usage": {
            "input_tokens": figures.input_tokens,
            "output_tokens": figures.output_tokens,
            "cache_read_input_tokens": figures.cache_read_input_tokens,
            "cache_creation_input_tokens": figures.cache_creation_input_tokens,
            "total_tokens": figures.total_tokens,
        },
        "cost_usd": _usd(figures.cost_microusd),
        "cache_hit_rate": figures.cache_hit_rate,
        "cache_savings_usd": _usd(figures.saved_microusd),
        "latency_seconds": _spread(figures.latency),
        "first_token_seconds": _spread(figures.first_token),
        "queue_wait_seconds": _spread(figures.queue_wait),
        "upstream_calls": figures.calls,
        "unpriced_calls": figures.unpriced,
        "estimated_requests": figures.estimated,
        "costs": {
            "metered_usd": _usd(figures.cost_microusd),
            "price_table_usd": _usd(figures.table_microusd),
            "cli_usd": _usd(figures.cli_microusd),
            "metered_where_cli_usd": _usd(figures.cli_metered_microusd),
            "cli_requests": figures.cli_requests,
        },
        "drift": list(figures.drifts),
    }


def csv_text(rows: Sequence[Mapping[str, Any]], *, like: Mapping[str, Any]) -> str:
    """Rows as CSV, nested fields by dotted names; no cell is a formula to a spreadsheet.

    like: a row whose names are the titles where there are no rows.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(dict(_flat(rows[0] if rows else like)))
    writer.writerows([safe_cell(value) for _, value in _flat(row)] for row in rows)
    return file.getvalue()


def local(moment: datetime, zone: ZoneInfo) -> str:
    """ISO 8601 with the zone's offset of that moment."""
    return moment.astimezone(zone).isoformat()


def _flat(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if name == "errors":  # every row has other codes
            yield name, " ".join(f"{code}={count}" for code, count in sorted(value.items()))
        elif isinstance(value, list):
            yield name, " ".join(value)
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value


def _spread(spread: Spread) -> dict[str, Any]:
    return {
        "count": spread.count,
        "mean": spread.mean_seconds,
        "p50": spread.p50_seconds,
        "p90": spread.p90_seconds,
        "p95": spread.p95_seconds,
        "p99": spread.p99_seconds,
    }


def _usd(microusd: int) -> float:
    return microusd / 1_000_000
