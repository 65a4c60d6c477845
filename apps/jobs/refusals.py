"""Why a request was refused, as its audit row keeps it, and how often a flood of them is written down."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from apps.audit import redaction
from apps.budgets.services import BudgetExceeded, Shortfall
from apps.jobs.admission import Denied
from apps.keys.rates import RateLimited

FLOOD_SECONDS = 60.0
"""A key that runs into one of its rate limits again within this time is not written down again by this process."""
_MOST_BYTES = redaction.MOST_BYTES - 1000
_MOST_KEYS = 10_000

_told: dict[tuple[int, str], float] = {}


def facts(refused: Denied | BudgetExceeded | RateLimited) -> dict[str, Any]:
    """All reasons, rules and figures: an operator can answer "why was this refused" from them alone. Pure."""
    match refused:
        case Denied():
            return _reasons([asdict(reason) for reason in refused.refusal.reasons])
        case BudgetExceeded():
            resets_at = refused.resets_at
            return {
                "budgets": [_budget(short) for short in refused.shortfalls],
                "resets_at": resets_at.isoformat() if resets_at else None,
            }
        case RateLimited():
            wait = round(refused.retry_after_seconds, 3)
            return {"limited": refused.limited, "limit": refused.limit, "retry_after_seconds": wait}


def is_news(key_id: int, refused: RateLimited) -> bool:
    """Whether a rate limit's refusal belongs on record: a flood must not become a flood of rows."""
    now, what = time.monotonic(), (key_id, refused.limited)
    if _told.get(what, float("-inf")) > now - FLOOD_SECONDS:
        return False
    if len(_told) >= _MOST_KEYS:
        _told.clear()
    _told[what] = now
    return True


def _reasons(reasons: list[dict[str, Any]]) -> dict[str, Any]:
    """All of them in words while they fit into a row; else without the words, which code, ref and rule stand for."""
    if _fits(reasons):
        return {"reasons": reasons}
    bare = [{name: each[name] for name in ("code", "ref", "rule")} for each in reasons]
    if _fits(bare):
        return {"reasons": bare}
    by_rule: dict[str, int] = {}
    for each in bare:
        why = each["rule"] or each["code"]
        by_rule[why] = by_rule.get(why, 0) + 1
    return {"reasons": bare[:20], "reasons_total": len(bare), "by_rule": by_rule}


def _fits(reasons: Iterable[Mapping[str, Any]]) -> bool:
    listed = list(reasons)
    return len(listed) <= redaction.MOST_ITEMS and len(redaction.canonical({"reasons": listed})) <= _MOST_BYTES


def _budget(short: Shortfall) -> dict[str, Any]:
    state, count = short.state, short.state.count(short.measure)
    return {
        "budget_id": state.budget_id,
        "name": state.name,
        "scope": state.scope,
        "period": state.span,
        "measure": short.measure,
        "limit": count.limit,
        "spent": count.spent,
        "reserved": count.reserved,
        "needed": short.needed,
        "resets_at": state.resets_at.isoformat() if state.resets_at else None,
    }
