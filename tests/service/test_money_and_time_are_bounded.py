"""The real CLI and a model that would cost or take more than is allowed."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

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


def test_an_answer_a_hundred_times_dearer_than_its_cap_is_stopped_inside_the_cap(service: Service, marker: str) -> None:
    http = issued(service, "capped", "--profile", "enterprise")
    service.manage("set_budget", "capped", "--usd", "0.018", "--period", "total")
    answer = http.chat(f"[[tokens: 46000]] {marker}", model="claude-fable-5-2")
    job = http.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()
    assert 0 < job["cost_usd"] <= 0.018, "46,000 tokens at $40 a million cost $1.84"
    assert budget(http)["spent"] == job["cost_usd"]
    assert budget(http)["reserved"] == 0


def test_many_at_once_never_overspend_and_use_all_that_fits_though_a_worker_is_killed(
    new_service: ServiceFactory,
) -> None:
    service = new_service(WORKERS="2")
    http = issued(service, "pocket")
    service.manage("set_budget", "pocket", "--usd", "0.08", "--period", "total")
    price = '[[usage: {"input_tokens": 100, "output_tokens": 1000}]]'
    with http.chat_stream(f"{price} [[tokens: 200]] [[rate: 20]]") as stream:
        next(stream.events())
        workers = service.find("run_workers")
        workers[-1].kill()
        stream.read()
    eventually(lambda: budget(http)["reserved"] == 0, seconds=60, message="the lost job's hold was not settled")

    def spend(_: int) -> int:
        done = 0
        while budget(http)["remaining"] >= 0.0102 or budget(http)["reserved"]:
            done += http.chat(f"{price} hello").status == 200
        return done

    with ThreadPoolExecutor(12) as threads:
        paid = sum(threads.map(spend, range(12)))
    left = budget(http)
    assert paid >= 1
    assert left["spent"] <= 0.08
    assert left["remaining"] < 0.0102
    assert "all agree" in service.manage("ledger_verify")
