from typing import Any

import pytest

from apps.api.outcomes import RULES, of_job, of_outcome
from apps.api.problems import Problem


def of(code: str, upstream_status: int | None = None, retry_after_seconds: float | None = None) -> Problem:
    return of_outcome(code, "Why.", upstream_status=upstream_status, retry_after_seconds=retry_after_seconds)


@pytest.mark.parametrize(
    ("code", "upstream", "status", "shown", "advice"),
    [
        ("invalid_request", 400, 400, "invalid_request", None),
        ("cost_limit", None, 402, "cost_limit", "false"),
        ("cancelled", None, 409, "cancelled", "false"),
        ("rate_limited", 429, 429, "rate_limit_exceeded", None),
        ("upstream_error", 500, 500, "upstream_error", None),
        ("upstream_error", 503, 503, "upstream_error", None),
        ("upstream_error", 404, 404, "upstream_error", None),
        ("upstream_error", None, 502, "upstream_error", None),
        ("overloaded", 529, 529, "overloaded", None),
        ("overloaded", None, 529, "overloaded", None),
        ("cli_error", None, 502, "cli_error", "true"),
        ("cli_unfit", None, 503, "cli_unfit", "false"),
        ("internal_error", None, 500, "internal_error", "true"),
        ("worker_lost", None, 503, "worker_lost", "true"),
        ("expired", None, 503, "expired", "true"),
        ("timeout", None, 504, "timeout", "false"),
        ("a_code_of_tomorrow", None, 500, "internal_error", None),
    ],
)
def test_each_error_code_has_a_status_and_advice(
    code: str, upstream: int | None, status: int, shown: str, advice: str | None
) -> None:
    problem = of(code, upstream)
    assert (problem.status, problem.code) == (status, shown)
    assert problem.headers.get("x-should-retry") == advice


def test_every_code_that_the_engine_knows_has_a_rule() -> None:
    of_the_engine = "timeout cost_limit cli_error upstream_error rate_limited cancelled invalid_request overloaded "
    of_the_engine += "invalid_output resource_limit jail_unavailable cli_unfit"
    of_the_queue = "worker_lost expired internal_error"
    assert {*of_the_engine.split(), *of_the_queue.split()} == set(RULES)


def test_the_upstream_s_retry_after_is_passed_on_in_whole_seconds() -> None:
    assert of("rate_limited", 429, 6.2).headers["Retry-After"] == "7"
    assert of("overloaded", 529, 0).headers["Retry-After"] == "0"
    assert "Retry-After" not in of("rate_limited", 429).headers


@pytest.mark.parametrize("status", [401, 403])
def test_the_operator_s_bad_credential_is_not_blamed_on_the_caller_s_key(status: int) -> None:
    problem = of("upstream_error", status)
    assert (problem.status, problem.code) == (503, "upstream_authentication")
    assert problem.headers["x-should-retry"] == "false"


def test_a_status_that_is_no_error_is_not_passed_on() -> None:
    assert of("upstream_error", 200).status == 502


def test_a_job_object_carries_all_that_is_needed() -> None:
    error: dict[str, Any] = {
        "code": "rate_limited",
        "message": "Slow down.",
        "upstream_status": 429,
        "retry_after_seconds": 7,
    }
    problem = of_job({"status": "failed", "error": error})
    assert problem.message == "Slow down."
    assert problem.headers["Retry-After"] == "7"


def test_all_four_fields_are_always_there() -> None:
    for code in RULES:
        fields = of_outcome(code, "").body()["error"]
        assert set(fields) == {"message", "type", "param", "code"}
        assert fields["message"]


def test_a_spent_budget_is_told_from_a_passing_rate_limit() -> None:
    assert Problem(429, "Spent.", "insufficient_quota").type == "insufficient_quota"
    assert Problem(429, "Slow down.", "rate_limit_exceeded").type == "rate_limit_error"


def test_types_follow_openai_s_coarse_classes() -> None:
    kinds = {of(code).status: of(code).type for code in RULES}
    assert kinds[400] == kinds[409] == "invalid_request_error"
    assert kinds[429] == "rate_limit_error"
    assert kinds[402] == "billing_error"
    assert kinds[504] == kinds[529] == "server_error"
