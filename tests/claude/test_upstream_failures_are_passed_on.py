import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from tests.claude.conftest import ask, requests, running_engine


@pytest.mark.parametrize(
    ("directive", "code", "status", "retry_after"),
    [
        ("[[fail: 429 retry-after=3]]", "rate_limited", 429, 3.0),
        ("[[fail: 529 retry-after=7 type=overloaded_error]]", "overloaded", 529, 7.0),
        ("[[fail: 500]]", "upstream_error", 500, None),
        ("[[fail: 503 retry-after=1]]", "upstream_error", 503, 1.0),
        ("[[fail: 400]]", "invalid_request", 400, None),
        ("[[fail: 413]]", "invalid_request", 413, None),
        ("[[fail: 401]]", "upstream_error", 401, None),
        ("[[tokens: 20]] [[fail: 529 after=5]]", "overloaded", 529, None),
        ("[[tokens: 20]] [[cut: 5]]", "upstream_error", 502, None),
    ],
)
def test_a_failure_keeps_its_status_and_is_asked_once(
    engine: Engine,
    model: ScriptedModel,
    marker: str,
    directive: str,
    code: str,
    status: int,
    retry_after: float | None,
) -> None:
    outcome = ask(engine, f"{directive} {marker}")
    assert (outcome.status, outcome.error_code, outcome.upstream_status) == ("failed", code, status)
    assert outcome.retry_after_seconds == retry_after
    assert outcome.error_message
    assert len(requests(model, marker)) == 1, "retrying is the caller's choice"


def test_the_operators_credential_problem_is_not_told_to_clients(engine: Engine) -> None:
    outcome = ask(engine, '[[fail: 401 message="key sk-ant-xyz of acme is disabled"]] hello')
    assert outcome.error_message == "The upstream refused the service's credential; its operator has to check it."


def test_an_upstream_that_is_not_there_is_a_502(model: ScriptedModel) -> None:
    with running_engine(model, upstream="http://127.0.0.1:9", slots=1) as engine:
        outcome = ask(engine, "hello")
    assert (outcome.error_code, outcome.upstream_status) == ("upstream_error", 502)


def test_without_a_credential_nothing_is_sent(model: ScriptedModel, marker: str) -> None:
    with running_engine(model, credential=None, slots=1) as engine:
        outcome = ask(engine, f"hello {marker}")
    assert (outcome.status, outcome.upstream_status) == ("failed", 503)
    assert requests(model, marker) == []
