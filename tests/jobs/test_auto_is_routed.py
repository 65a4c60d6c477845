import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.budgets.services import Terms
from apps.claude.spec import Turn, Usage
from apps.jobs import routes, services
from apps.jobs.execution import Worker
from apps.jobs.models import Job, Lane
from apps.jobs.requests import ChatRequest
from apps.keys.models import ApiKey
from tests.jobs.conftest import followed, text_of
from tests.support.valkey import ValkeyServer

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
EASY = "hi"
HARD = "Prove rigorously that the consensus protocol keeps its invariants and derive an optimal bound; design it."


def auto(*texts: str, **facts: Any) -> ChatRequest:
    """A conversation for `auto`; the first text is the user's."""
    roles = ("user", "assistant")
    turns = tuple(Turn(roles[n % 2], ({"type": "text", "text": text},)) for n, text in enumerate(texts))  # type: ignore[arg-type]
    return ChatRequest(model="auto", requested_model="auto", turns=turns, **facts)


def submit(key: ApiKey, request: ChatRequest, now: datetime) -> Job:
    return services.submit(key=key, request=request, request_id="r", now=now, lane=Lane.INTERACTIVE)


def allow(key: ApiKey, *models: str) -> None:
    assert key.profile
    key.profile.allow = [f"model:{model}" for model in models]
    key.profile.save()


@pytest.fixture(autouse=True)
def _valkey(valkey: ValkeyServer) -> None:
    """Where conversations are remembered."""


def test_each_request_goes_to_the_tier_its_words_ask_for(atlas: ApiKey, now: datetime) -> None:
    assert submit(atlas, auto(EASY), now).model == HAIKU
    assert submit(atlas, auto(HARD), now).model == OPUS


def test_the_row_keeps_the_choice_with_its_reasons(atlas: ApiKey, now: datetime) -> None:
    job = Job.objects.get(pk=submit(atlas, auto(HARD), now).pk)
    assert (job.model, job.requested_model, job.request["model"]) == (OPUS, "auto", OPUS)
    assert job.grant
    assert job.grant["model"] == OPUS
    assert job.route
    assert (job.route["tier"], job.route["model"], job.route["fallback_model"]) == ("opus", OPUS, SONNET)
    assert job.route["reasons"][0].startswith("Score 0.")
    assert job.route["features"]


def test_a_request_that_names_its_model_is_not_routed(atlas: ApiKey, now: datetime) -> None:
    job = submit(atlas, replace(auto(HARD), model=HAIKU, requested_model="haiku"), now)
    assert (job.model, job.route) == (HAIKU, None)


def test_follow_ups_stay_with_their_conversation_s_tier(atlas: ApiKey, borealis: ApiKey, now: datetime) -> None:
    submit(atlas, auto(HARD), now)
    job = submit(atlas, auto(HARD, "Here it is.", EASY), now)
    assert job.model == OPUS
    assert job.route
    assert job.route["reasons"] == ["Continues a conversation that opus answers."]
    assert submit(atlas, auto("Something else", "Yes.", EASY), now).model == HAIKU
    assert submit(borealis, auto(HARD, "Here it is.", EASY), now).model == HAIKU  # another project's conversation


def test_a_session_is_a_conversation(atlas: ApiKey, now: datetime) -> None:
    first = submit(atlas, auto(HARD, session_id="new"), now)
    follow_up = auto(HARD, "Here it is.", EASY, session_id=first.session_id)
    assert routes.route(key=atlas, request=follow_up, now=now).model == OPUS
    assert submit(atlas, auto(EASY, session_id="new"), now).model == HAIKU


def test_without_valkey_a_follow_up_is_judged_by_itself(
    atlas: ApiKey, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = auto(HARD, "Here it is.", EASY)
    submit(atlas, auto(HARD), now)
    monkeypatch.setattr("apps.jobs.routes.valkey.client", _away)
    assert routes.route(key=atlas, request=request, now=now).model == HAIKU


def _away() -> None:
    raise ConnectionError("Valkey is away")


def test_nobody_is_given_a_model_that_the_key_may_not_use(atlas: ApiKey, now: datetime) -> None:
    allow(atlas, "haiku", "sonnet")
    job = submit(atlas, auto(HARD), now)
    assert job.model == SONNET
    assert job.route
    assert job.route["fallback_model"] == HAIKU


def test_a_key_without_any_tier_is_refused_by_name(atlas: ApiKey, now: datetime) -> None:
    allow(atlas, "fable")
    with pytest.raises(services.Denied, match="claude-opus-5-5"):
        submit(atlas, auto(HARD), now)


def test_a_spent_budget_makes_the_router_thrifty(atlas: ApiKey, now: datetime) -> None:
    cycle, terms = Cycle("day", rolling=False, time_zone="UTC", anchor=1), Terms(limit_microusd=1_000_000)
    budgets.create(project=atlas.project, cycle=cycle, terms=terms, actor="test", now=now)
    spent: dict[str, Any] = {"project_id": atlas.project_id, "key_id": atlas.pk, "job_id": "job_before"}
    budgets.reserve(**spent, amount_microusd=950_000, tokens=1, expires_at=now, now=now)
    assert routes.route(key=atlas, request=auto(HARD), now=now).model == OPUS  # held is not spent
    usage = Usage(input_tokens=1)
    budgets.settle(**spent, usage=usage, cost_microusd=950_000, now=now)
    chosen = routes.route(key=atlas, request=auto(HARD), now=now)
    assert chosen.model == SONNET
    assert "Little of the budget is left" in chosen.decision.reasons[-1]


def script(**said: object) -> ChatRequest:
    """A prompt for the fake engine that is hard enough for opus."""
    return auto(json.dumps({**said, "words": HARD}))


def finished(job: Job) -> tuple[Job, Mapping[str, Any]]:
    events = followed(job)
    return Job.objects.get(pk=job.pk), {"text": text_of(events), "types": [event.type for event in events]}


def test_an_overloaded_tier_is_replaced_before_anything_was_said(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    job, told = finished(submit(atlas, script(overloaded=[OPUS], tokens=0), now))
    assert (job.status, job.model) == ("completed", SONNET)
    assert job.route
    assert (job.route["model"], job.route["overloaded_model"]) == (SONNET, OPUS)
    assert job.route["reasons"][-1] == f"{OPUS} is overloaded: {SONNET} answers."
    assert [*job.calls.order_by("pk").values_list("model", "status")] == [(OPUS, 529), (SONNET, 200)]
    assert told["types"] == ["started", "started", "done"]


def test_it_is_replaced_once(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    job, _ = finished(submit(atlas, script(overloaded=[OPUS, SONNET], tokens=0), now))
    assert (job.status, job.error_code, job.model) == ("failed", "overloaded", SONNET)
    assert job.calls.count() == 2


def test_what_has_been_said_is_not_said_again_by_another(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    job, told = finished(submit(atlas, script(overloaded=[OPUS], tokens=2), now))
    assert (job.status, job.error_code, job.model) == ("failed", "overloaded", OPUS)
    assert told["text"] == "t0 t1 "


def test_a_model_that_was_named_is_not_replaced(atlas: ApiKey, now: datetime, worker: Worker) -> None:
    request = replace(script(overloaded=[OPUS], tokens=0), model=OPUS, requested_model="opus")
    job, _ = finished(submit(atlas, request, now))
    assert (job.status, job.error_code, job.model) == ("failed", "overloaded", OPUS)
