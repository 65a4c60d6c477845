"""Each kind of refusal, over HTTP: its row of the record has every reason, and the admin leads to it in two clicks."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEvent
from apps.budgets import services as budgets
from apps.budgets.periods import Cycle
from apps.jobs import refusals
from apps.keys import ratelimit, services
from apps.keys.models import ApiKey
from apps.keys.rates import Limits
from apps.keys.terms import Terms
from apps.permissions.models import Profile
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.django_db
HI = [{"role": "user", "content": "hi"}]
CHAT, TASK = "/v1/chat/completions", "/v1/task"


@pytest.fixture
def key(settings: Settings, valkey: ValkeyServer) -> tuple[ApiKey, str]:
    """On the free tier, twice a minute at most."""
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"
    ratelimit._away_until = 0.0
    refusals._told.clear()
    now = timezone.now()
    project, _ = services.ensure_project(slug="atlas", now=now)
    free = Profile.objects.get(slug="free")
    terms = Terms(name="ci", profile=free, limits=Limits(2, None, None))
    return services.issue_on(project=project, terms=terms, actor="test", now=now)


def asked(secret: str, path: str, body: object) -> Any:
    sent = {"authorization": f"Bearer {secret}", "prefer": "respond-async"}
    return Client().post(path, json.dumps(body), content_type="application/json", headers=sent)


def row() -> AuditEvent:
    """The only refusal on record."""
    return AuditEvent.objects.get(action="job.refused")


@pytest.mark.parametrize(
    ("path", "body", "refs"),
    [
        (CHAT, {"model": "opus", "messages": HI}, ["model:claude-opus-5-5"]),
        (TASK, {"description": "x", "model": "haiku", "allow_tools": ["Bash", "Write"]}, ["tool:Bash", "tool:Write"]),
        (TASK, {"description": "x", "model": "opus", "allow_tools": ["Bash"]}, ["model:claude-opus-5-5", "tool:Bash"]),
        (TASK, {"description": "x", "model": "haiku", "max_cost": 5}, ["max_cost_microusd"]),
        (TASK, {"description": "x", "model": "haiku", "timeout": 3000}, ["max_seconds"]),
        (TASK, {"description": "x", "model": "haiku", "max_turns": 900}, ["max_turns"]),
    ],
)
def test_what_a_profile_denies_is_on_record_with_every_rule(
    key: tuple[ApiKey, str], path: str, body: dict[str, Any], refs: list[str]
) -> None:
    answer = asked(key[1], path, body)
    assert answer.status_code == 403, answer.content
    reasons = row().data["reasons"]
    assert sorted(reason["ref"] for reason in reasons) == sorted(refs)
    assert all(reason["code"] and reason["message"] for reason in reasons)
    assert (row().data["profile"], row().outcome) == ("free", "refused")
    assert row().request_id == answer["x-request-id"], "who was refused can name it"


def test_a_budget_in_the_way_is_on_record_with_its_figures_and_when_it_resets(key: tuple[ApiKey, str]) -> None:
    now = timezone.now()
    for whose, name in ((None, "team"), (key[0], "ci only")):
        terms = budgets.Terms(limit_microusd=20_000, name=name)
        budgets.create(project=key[0].project, api_key=whose, cycle=Cycle("month"), terms=terms, actor="test", now=now)
    held: Any = {
        "project_id": key[0].project_id,
        "key_id": key[0].pk,
        "job_id": "job_before",
        "amount_microusd": 15_000,
    }
    budgets.reserve(**held, tokens=1, expires_at=now + timedelta(hours=1), now=now)
    answer = asked(key[1], CHAT, {"model": "haiku", "messages": HI})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "insufficient_quota")
    told = row().data["budgets"]
    assert [(each["name"], each["scope"], each["limit"], each["reserved"]) for each in told] == [
        ("team", "project", 20_000, 15_000),
        ("ci only", "key", 20_000, 15_000),
    ]
    assert {each["resets_at"] for each in told} == {row().data["resets_at"]}
    assert row().data["resets_at"] > now.isoformat()


def test_a_rate_limit_in_the_way_is_on_record_once_a_minute(key: tuple[ApiKey, str]) -> None:
    body = {"model": "haiku", "description": "x"}
    assert [asked(key[1], TASK, body).status_code for _ in range(5)] == [202, 202, 429, 429, 429]
    assert (row().data["limited"], row().data["limit"]) == ("requests", 2)
    assert row().data["retry_after_seconds"] > 0


def test_why_was_this_refused_takes_two_clicks(key: tuple[ApiKey, str], admin_client: Client) -> None:
    answer = asked(key[1], CHAT, {"model": "opus", "messages": HI})
    first = admin_client.get(reverse("admin:index")).content.decode()
    address = reverse("admin:audit_auditevent_change", args=[row().pk])
    assert f'href="{address}"' in first, "the first click"
    page = admin_client.get(address).content.decode()
    assert row().data["reasons"][0]["message"] in page.replace("&#x27;", "'")
    assert key[0].public_id in page, "the second leads to the key"
    found = admin_client.get(reverse("admin:find"), {"q": answer["x-request-id"]})
    assert row().request_id in found.headers["Location"], "or by what the client was told"
