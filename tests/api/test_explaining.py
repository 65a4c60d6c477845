"""`POST /v1/explain` says what would become of a request, and does none of it."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.keys import ratelimit, services
from apps.keys.models import ApiKey, Project
from apps.keys.rates import Limits
from apps.keys.terms import Terms
from apps.permissions.models import Profile
from tests.support.http import chat_body
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _world(settings: Settings, valkey: ValkeyServer) -> None:
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"
    ratelimit._away_until = 0.0


def issued(profile: str = "free", **limits: int) -> tuple[ApiKey, str]:
    now = timezone.now()
    project, _ = services.ensure_project(slug="atlas", now=now)
    terms = Terms(name="k", profile=Profile.objects.get(slug=profile), limits=Limits(**limits))
    return services.issue_on(project=project, terms=terms, actor="test", now=now)


def explained(secret: str, body: dict[str, Any], *, status: int = 200) -> Any:
    response = Client().post(
        "/v1/explain", json.dumps(body), content_type="application/json", headers={"authorization": f"Bearer {secret}"}
    )
    assert response.status_code == status, response.content
    return response.json()


def bounded(project: Project, usd: str, key: ApiKey | None = None) -> None:
    terms = budgets.Terms(name="pocket", limit_microusd=int(float(usd) * 1_000_000))
    budgets.create(project=project, api_key=key, cycle=Cycle("day"), terms=terms, actor="test", now=timezone.now())


def test_what_would_be_taken_says_on_what_terms() -> None:
    key, secret = issued(requests=5)
    bounded(key.project, "0.05")
    found = explained(secret, chat_body("hello", model="haiku", max_tokens=1000))
    assert (found["allowed"], found["objections"], found["kind"]) == (True, [], "chat")
    assert found["model"].startswith("claude-haiku")
    assert found["permission"]["things"] == [
        {"ref": f"model:{found['model']}", "verdict": "Allowed", "rule": "model:haiku", "note": None}
    ]
    assert found["permission"]["grant"]["max_cost_usd"] == 0.1
    assert found["cost"]["at_most_usd"] == 0.05, "the budget has less than the profile allows"
    assert 0 < found["cost"]["estimated_usd"] < 0.05
    assert found["cost"]["output_tokens"] == 1000
    [budget] = found["budgets"]
    assert (budget["fits"], budget["usd"]["remaining"], budget["tokens"]) == (True, 0.05, None)
    assert found["rate_limits"]["requests_per_minute"]["remaining"] == 5
    assert found["rate_limits"]["concurrent_jobs"]["limit"] == 10


def test_every_objection_is_told_at_once() -> None:
    key, secret = issued(requests=1, tokens=100_000)
    bounded(key.project, "0.002")
    bounded(key.project, "0.001", key)
    ratelimit.admit(key=key, job_id="", tokens=0)
    found = explained(secret, chat_body("hello", model="opus"))
    assert not found["allowed"]
    [reason] = found["permission"]["reasons"]
    assert (reason["code"], reason["rule"], found["permission"]["grant"]) == ("not_allowed", None, None)
    assert [budget["fits"] for budget in found["budgets"]] == [False, False]
    assert found["rate_limits"]["limited_by"] == "requests"
    objections = " ".join(found["objections"])
    for words in ("opus", "pocket", "Not even an empty budget", "requests per minute"):
        assert words in objections


def test_the_operator_s_fault_is_named_as_such(settings: Settings) -> None:
    _, secret = issued()
    settings.ANTHROPIC_API_KEY = ""
    found = explained(secret, chat_body("hello", model="haiku"))
    assert not found["allowed"]
    assert "operator" in found["objections"][0]


def test_a_body_that_no_endpoint_takes_is_refused_as_there() -> None:
    _, secret = issued()
    assert explained(secret, {"model": "haiku", "messages": []}, status=400)["error"]["param"] == "messages"
    assert explained(secret, chat_body("hi", model="gpt-9"), status=404)["error"]["code"] == "model_not_found"
    explained(secret, [1], status=400)  # type: ignore[arg-type]


def test_nothing_is_written(valkey: ValkeyServer) -> None:
    key, secret = issued(requests=5, tokens=10_000)
    bounded(key.project, "1")
    services.touch(key=key, now=timezone.now())
    before = {model: model._default_manager.count() for model in apps.get_models()}
    with CaptureQueriesContext(
        connection,
    ) as seen:
        explained(secret, chat_body("hello", model="haiku"))
    written = [query["sql"] for query in seen if not query["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE"))]
    assert written == []
    assert {model: model._default_manager.count() for model in apps.get_models()} == before
    state = ratelimit.peek(key=key)
    assert state.requests
    assert state.tokens
    assert (state.requests.remaining, state.tokens.remaining) == (5, 10_000)


def test_a_task_is_told_about_each_thing_it_asks_for() -> None:
    _, secret = issued()
    task = {"description": "tidy up", "model": "haiku", "allow_tools": ["Read", "Write", "Bash"], "max_turns": 11}
    found = explained(secret, task)
    assert (found["kind"], found["allowed"], found["permission"]["grant"]) == ("task", False, None)
    reasons = {reason["ref"]: reason["code"] for reason in found["permission"]["reasons"]}
    assert reasons == {"tool:Write": "not_allowed", "tool:Bash": "not_allowed", "max_turns": "over_limit"}
    verdicts = {thing["ref"]: thing["verdict"] for thing in found["permission"]["things"]}
    assert verdicts["tool:Read"] == "Allowed"
    granted = explained(secret, {**task, "allow_tools": ["Read"], "max_turns": 3, "max_cost": 0.02})
    assert granted["allowed"], granted["objections"]
    assert granted["permission"]["grant"]["tools"] == ["Read"]
    assert (granted["permission"]["grant"]["max_turns"], granted["cost"]["at_most_usd"]) == (3, 0.02)


def test_auto_is_told_which_model_it_would_be() -> None:
    _, secret = issued()
    found = explained(secret, chat_body("What is 2+2?", model="auto"))
    assert (found["requested_model"], found["allowed"]) == ("auto", True)
    assert "haiku" in found["model"], "the key may use no other"
    assert found["route"]
