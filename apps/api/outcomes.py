"""A job's error as an HTTP problem. Pure; the table is printed in docs and read by REST, SSE and WebSocket.

Retry advice matters: OpenAI's SDK retries 408, 409, 429 and 5xx on its own, and each retry of a long run costs money.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.api.problems import Problem


@dataclass(frozen=True, slots=True)
class Rule:
    """What an error code of a job becomes."""

    status: int
    code: str
    retry: bool | None
    """Explicit advice (`x-should-retry`); None leaves it to the client's own rules."""
    meaning: str


RULES: dict[str, Rule] = {
    "invalid_request": Rule(400, "invalid_request", None, "The upstream refused the request; the message says why."),
    "cost_limit": Rule(402, "cost_limit", False, "The answer would have cost more than a job may."),
    "resource_limit": Rule(402, "resource_limit", False, "The task took more of the machine than it may."),
    "jail_unavailable": Rule(503, "jail_unavailable", False, "No worker here can contain a task; chat works."),
    "cli_unfit": Rule(503, "cli_unfit", False, "The CLI has more than was granted; nothing was sent."),
    "cancelled": Rule(409, "cancelled", False, "The job was cancelled."),
    "rate_limited": Rule(429, "rate_limit_exceeded", None, "The upstream's rate limit; Retry-After is its own."),
    "upstream_error": Rule(502, "upstream_error", None, "The upstream failed; its own 4xx or 5xx is passed on."),
    "internal_error": Rule(500, "internal_error", True, "A defect of this service; it has been logged."),
    "invalid_output": Rule(502, "invalid_output", False, "The answer is not what its schema or tools ask for."),
    "cli_error": Rule(502, "cli_error", True, "The Claude Code CLI ended unexpectedly."),
    "worker_lost": Rule(503, "worker_lost", True, "The worker that ran the job was lost."),
    "expired": Rule(503, "expired", True, "The job waited too long for a free worker."),
    "timeout": Rule(504, "timeout", False, "The job ran longer than allowed, or said nothing for too long."),
    "overloaded": Rule(529, "overloaded", None, "The upstream is overloaded."),
}
UNKNOWN = Rule(500, "internal_error", None, "The job failed for a reason that has no name.")
OPERATOR_FAULT = Rule(
    503, "upstream_authentication", False, "The upstream refuses this service's own credential; the operator must act."
)
_PASSED_ON = ("upstream_error", "overloaded", "rate_limited")


def of_job(job: Mapping[str, Any]) -> Problem:
    """The problem of a job object that ended with an error."""
    error = job.get("error") or {}
    return of_outcome(
        str(error.get("code") or job.get("status")),
        str(error.get("message") or ""),
        upstream_status=error.get("upstream_status"),
        retry_after_seconds=error.get("retry_after_seconds"),
    )


def of_outcome(
    error_code: str, message: str, *, upstream_status: int | None = None, retry_after_seconds: float | None = None
) -> Problem:
    """The problem of a job's error code; the upstream's own status and Retry-After where it gave them."""
    rule = RULES.get(error_code, UNKNOWN)
    status = rule.status
    if error_code in _PASSED_ON and upstream_status in (401, 403):
        rule, status = OPERATOR_FAULT, OPERATOR_FAULT.status
    elif error_code in _PASSED_ON and upstream_status and 400 <= upstream_status < 600:
        status = upstream_status
    headers: dict[str, str] = {}
    if rule.retry is not None:
        headers["x-should-retry"] = "true" if rule.retry else "false"
    if retry_after_seconds is not None and rule.retry is not False:
        headers["Retry-After"] = str(max(0, math.ceil(retry_after_seconds)))
    return Problem(status, message or rule.meaning, rule.code, headers=headers)
