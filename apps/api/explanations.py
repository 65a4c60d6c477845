"""`Explanation` as it goes over the wire, and how any body is read. Pure but for the settings."""

from typing import Any

from django.conf import settings

from apps.api.openai import fields
from apps.api.openai.requests import read as read_chat
from apps.api.tasks.requests import ONLY_OF_TASKS as TASK_FIELDS
from apps.api.tasks.requests import read as read_task
from apps.budgets.fitting import BudgetState, Count
from apps.jobs.explaining import Explanation
from apps.jobs.requests import Request
from apps.keys.rates import Meter


def read_any(body: Any, *, default_model: str) -> Request:
    """The request in a body that some endpoint would take. Raises ApiError as that endpoint would."""
    if not isinstance(body, dict):
        raise fields.wrong_type("body", "a JSON object")
    if body.keys() & TASK_FIELDS:
        longest = settings.JOB_TIMEOUT_SECONDS
        return read_task(body, default_model=default_model, longest_seconds=longest).task
    return read_chat(body, default_model=default_model).chat


def explanation_object(found: Explanation) -> dict[str, Any]:
    """The answer of `POST /v1/explain`. Money is in US dollars."""
    return {
        "object": "explanation",
        "allowed": found.allowed,
        "objections": [f"{objection}." for objection in found.objections()],
        "kind": found.kind,
        "model": found.model,
        "requested_model": found.requested_model,
        "route": found.route,
        "permission": _permission(found),
        "cost": {
            "estimated_usd": _usd(found.estimated_microusd),
            "at_most_usd": _usd(found.cap_microusd),
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
        },
        "budgets": [_budget(state, found) for state in found.budgets],
        "rate_limits": {
            "allowed": found.limited is None,
            "limited_by": found.limited,
            "requests_per_minute": _meter(found.rate.requests),
            "tokens_per_minute": _meter(found.rate.tokens),
            "concurrent_jobs": _meter(found.rate.concurrent_jobs),
        },
    }


def _permission(found: Explanation) -> dict[str, Any]:
    grant = found.grant
    return {
        "allowed": grant is not None,
        "profile": found.profile,
        "profile_version": found.profile_version,
        "reasons": [
            {"code": reason.code, "ref": reason.ref, "rule": reason.rule, "message": f"{reason.message}."}
            for reason in found.reasons
        ],
        "things": [
            {"ref": row.asked, "verdict": row.verdict, "rule": row.rule or None, "note": row.why or None}
            for row in found.things
        ],
        "grant": grant
        and {
            "tools": list(grant.tools),
            "agents": list(grant.agents),
            "skills": list(grant.skills),
            "tools_that_wait_for_approval": list(grant.ask_tools),
            "max_cost_usd": _usd(grant.max_cost_microusd),
            "max_seconds": grant.max_seconds,
            "max_turns": grant.max_turns,
        },
    }


def _budget(state: BudgetState, found: Explanation) -> dict[str, Any]:
    return {
        "id": state.budget_id,
        "name": state.name,
        "scope": state.scope,
        "period": state.span,
        "fits": all(short.state.budget_id != state.budget_id for short in found.shortfalls),
        "usd": _count(state.microusd, 1_000_000),
        "tokens": _count(state.tokens, 1),
        "starts_at": state.starts_at.timestamp(),
        "resets_at": state.resets_at and state.resets_at.timestamp(),
    }


def _count(count: Count, unit: int) -> dict[str, Any] | None:
    if count.limit is None:
        return None
    figures = {"limit": count.limit, "spent": count.spent, "reserved": count.reserved, "remaining": count.remaining}
    return {name: value if unit == 1 or value is None else value / unit for name, value in figures.items()}


def _meter(meter: Meter | None) -> dict[str, Any] | None:
    if meter is None:
        return None
    return {"limit": meter.limit, "remaining": meter.remaining, "reset_seconds": round(meter.reset_seconds, 3)}


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1_000_000
