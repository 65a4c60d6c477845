"""The real CLI and a model that would cost or take more than is allowed."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.http import Http
from tests.support.service import Service, ServiceFactory
from tests.support.waiting import eventually

_PROFILE = """
import sys
from django.utils import timezone
from apps.permissions.models import Profile
limits = {"max_cost_microusd": 1_000_000, "max_seconds": int(sys.argv[2]), "max_turns": 5, "max_concurrency": 50}
now = timezone.now()
Profile.objects.create(slug=sys.argv[1], name=sys.argv[1], allow=["model:*"], created_at=now, updated_at=now, **limits)
"""


def issued(service: Service, project: str, *options: str) -> Http:
    return service.http(json.loads(service.manage("issue_key", project, "--json", *options))["key"])


def budget(http: Http) -> dict[str, Any]:
    """The only budget of a key, in dollars."""
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "x"}]}
    [state] = http.post("/v1/explain", body).json()["budgets"]
    usd: dict[str, Any] = state["usd"]
    return usd


def test_a_chat_runs_no_longer_than_its_profile_allows(service: Service, marker: str) -> None:
    service.run_python(_PROFILE, "hasty", "6")
    http = issued(service, "hasty", "--profile", "hasty")
    began = time.monotonic()
    answer = http.chat(f"[[tokens: 4000]] [[rate: 20]] {marker}")
    assert (answer.status, answer.json()["error"]["code"]) == (504, "timeout")
    assert time.monotonic() - began < 60, "the answer would have taken two hundred seconds"
    assert http.chat(f"[[say: Hi.]] {marker}").status == 200


@pytest.mark.parametrize("project", ["capped", "capped-stream"])
def test_an_answer_a_hundred_times_dearer_than_its_cap_is_stopped_inside_the_cap(
    service: Service, marker: str, project: str
) -> None:
    http = issued(service, project, "--profile", "enterprise")
    service.manage("set_budget", project, "--usd", "0.018", "--period", "total")
    dear = f"[[tokens: 46000]] {marker}"
    if project == "capped-stream":
        with http.chat_stream(dear, model="claude-fable-5-2") as stream:
            job_id = stream.headers["x-job-id"]
            assert "cost_limit" in str([event.data for event in stream.events()])
    else:
        job_id = http.chat(dear, model="claude-fable-5-2").headers["x-job-id"]
    job = http.get(f"/v1/jobs/{job_id}").json()
    assert job["error"]["code"] == "cost_limit"
    assert 0 < job["cost_usd"] <= 0.018, "46,000 tokens at $40 a million cost $1.84"
    assert budget(http)["spent"] == job["cost_usd"]
    assert budget(http)["reserved"] == 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_fifty_at_once_spend_all_of_a_dollar_and_no_more_though_workers_are_killed(
    new_service: ServiceFactory, request: pytest.FixtureRequest, database: str
) -> None:
    kept = {}
    if database == "postgresql":
        kept = {"DATABASE_URL": request.getfixturevalue("migrated_postgres").new_database()}
    service = new_service(WORKERS="2", JOB_MAX_COST_USD="0.06", **kept)
    http = issued(service, "pocket", "--profile", "enterprise")
    service.manage("set_budget", "pocket", "--usd", "1", "--period", "total")
    dear = "[[tokens: 5000]] [[piece: 500]] hello"  # $0.05, or less where less is left

    def spend(_: int) -> int:
        """Ask until there is nothing left to be held; how often it was answered."""
        paid = 0
        while (answer := http.chat(dear)).status != 429:
            paid += answer.status == 200
        assert answer.json()["error"]["code"] == "insufficient_quota"
        return paid

    with ThreadPoolExecutor(50) as threads:
        spending = [threads.submit(spend, number) for number in range(50)]
        for spent in (0.05, 0.3):
            eventually(lambda least=spent: budget(http)["spent"] >= least, seconds=120)  # type: ignore[misc]
            assert not all(one.done() for one in spending), "the kill comes while they are at it"
            service.find("run_workers")[-1].kill()
        paid = sum(one.result() for one in spending)
    eventually(lambda: budget(http)["reserved"] == 0, seconds=120, message="a lost job's hold was not settled")
    paid += spend(0)  # what lost jobs have given back
    left = budget(http)
    assert paid >= 10
    assert left["spent"] <= 1
    assert left["reserved"] == 0
    assert left["remaining"] < 0.01, "less than the smallest hold"
    assert "all agree" in service.manage("ledger_verify")
