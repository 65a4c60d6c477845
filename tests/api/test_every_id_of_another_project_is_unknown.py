"""Every address, those that come later included: what belongs to another project is not there.

The addresses are read from the URL table. A new kind of id has to be made in `IDS`, or the tests fail and say so.
"""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone
from pytest_django import Settings

from apps.jobs.approvals import DECISIONS
from apps.jobs.batches import files
from apps.keys import ratelimit, services
from apps.keys.models import ApiKey
from tests.support.processes import ROOT
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.django_db

NOT_OWNED = {"model"}
"""Kinds of ids that belong to nobody."""
PARTS = {"name": "report.txt", "call_id": "toolu_1"}
"""Names of things within a job; the job decides whose they are."""
POST_BODY = {"decision": DECISIONS[0]}
MULTIPART = {"v1/files"}
"""Takes no JSON; its words are tried where its own tests are."""

Ids = dict[str, str]


@pytest.fixture
def cast(settings: Settings, valkey: ValkeyServer) -> dict[str, tuple[ApiKey, str]]:
    settings.ANTHROPIC_API_KEY = "a dummy key for tests"
    ratelimit._away_until = 0.0
    now = timezone.now()
    projects = {name: services.ensure_project(slug=slug, now=now)[0] for name, slug in WHOSE.items()}
    return {name: services.issue(project=project, name=name, now=now) for name, project in projects.items()}


WHOSE = {"alice": "atlas", "charlie": "borealis"}


def call(secret: str, method: str, path: str, body: object = None, **headers: str) -> Any:
    """The answer of one request."""
    sent = {"authorization": f"Bearer {secret}", "accept": "application/json, text/event-stream", **headers}
    data = json.dumps(body) if body is not None else ""
    return Client().generic(method, f"/{path}", data, content_type="application/json", headers=sent)


@pytest.fixture
def ids(cast: dict[str, tuple[ApiKey, str]]) -> Ids:
    """One thing of each kind, all of them alice's."""
    key, secret = cast["alice"]
    task = {"description": "wait", "webhook_url": "https://hooks.example.com/x"}
    job = call(secret, "POST", "v1/task", task, prefer="respond-async").json()
    made = call(secret, "POST", "v1/responses", {"input": "hello", "background": True})
    batch = call(secret, "POST", "v1/batch", {"prompts": [{"prompt": "hi"}]}, prefer="respond-async").json()
    file = files.store(key=key, purpose="batch", filename="a.jsonl", content=b"{}\n", now=timezone.now())
    return {
        "job_id": job["id"],
        "session_id": job["session_id"],
        "response_id": made.json()["id"],
        "batch_id": batch["id"],
        "file_id": file.pk,
    }


def routes() -> list[URLPattern]:
    """The API's addresses, the catch-all aside."""
    found = [each for each in get_resolver("apps.api.urls").url_patterns if isinstance(each, URLPattern)]
    return [each for each in found if str(each.pattern).startswith("v1/")]


def methods(route: URLPattern) -> list[str]:
    """Those that its view takes, HEAD aside."""
    view = route.callback.view_class  # type: ignore[attr-defined]  # all are class-based
    wanted = ("get", "post", "delete", "put", "patch")
    return [name.upper() for name in wanted if name in view.http_method_names and hasattr(view, name)]


def parameters(route: URLPattern) -> list[str]:
    return re.findall(r"<\w+:(\w+)>", str(route.pattern))


def filled(route: URLPattern, ids: Ids) -> str:
    path = str(route.pattern)
    for name in parameters(route):
        path = re.sub(rf"<\w+:{name}>", {**PARTS, **ids}[name], path)
    return path


def test_every_kind_of_id_in_an_address_is_known_here(ids: Ids) -> None:
    named = {name for route in routes() for name in parameters(route)}
    assert named - NOT_OWNED - PARTS.keys() == ids.keys(), "make one of each kind in `ids`"


def test_every_address_and_every_id_to_filter_by_of_the_openapi_document_is_tried_here() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    described = {re.sub(r"\{\w+\}", "{}", path) for path in paths if "{" in path}
    tried = {"/" + re.sub(r"<\w+:\w+>", "{}", str(route.pattern)) for route in routes() if parameters(route)}
    assert described == tried
    asked = [each for path in paths.values() for each in path.get("get", {}).get("parameters", [])]
    filters = {each["name"] for each in asked if each["in"] == "query" and each["name"].endswith("_id")}
    assert filters == {"key_id", "project_id"}, "try another one in the test of filters"


@pytest.mark.parametrize("whose", ["key_id", "project_id"])
def test_a_filter_by_somebody_elses_id_finds_nothing(cast: dict[str, tuple[ApiKey, str]], ids: Ids, whose: str) -> None:
    value = {"key_id": cast["alice"][0].public_id, "project_id": "atlas"}[whose]
    own = call(cast["alice"][1], "GET", f"v1/usage?{whose}={value}")
    assert own.status_code == 200, "it exists"
    answer = call(cast["charlie"][1], "GET", f"v1/usage?{whose}={value}")
    assert answer.status_code == 404, answer.content


def test_the_owner_finds_each_of_them(cast: dict[str, tuple[ApiKey, str]], ids: Ids) -> None:
    """Else the next test would prove nothing."""
    seen = set()
    for route in routes():
        names = parameters(route)
        if len(names) != 1 or names[0] not in ids or "GET" not in methods(route):
            continue
        if call(cast["alice"][1], "GET", filled(route, ids)).status_code == 200:
            seen.add(names[0])
    assert seen == ids.keys()


def test_for_everybody_else_it_is_404_whatever_is_done(cast: dict[str, tuple[ApiKey, str]], ids: Ids) -> None:
    tried = 0
    for route in routes():
        if not set(parameters(route)) & ids.keys():
            continue
        for method in methods(route):
            answer = call(cast["charlie"][1], method, filled(route, ids), POST_BODY if method == "POST" else None)
            assert answer.status_code == 404, f"{method} {route.pattern}: {answer.status_code} {answer.content[:200]}"
            assert answer.json()["error"]["code"], route.pattern
            tried += 1
    assert tried >= 20


def test_no_list_shows_it_also_not_to_who_asks_for_it_by_name(cast: dict[str, tuple[ApiKey, str]], ids: Ids) -> None:
    asked = "&".join(f"{name}={value}" for name, value in ids.items())
    for route in routes():
        if parameters(route) or "GET" not in methods(route):
            continue
        for query in ("", f"?{asked}", *(f"?after={value}" for value in ids.values()), "?project_id=atlas"):
            answer = call(cast["charlie"][1], "GET", f"{route.pattern}{query}")
            if answer.status_code == 200:
                told = b"".join(answer) if answer.streaming else answer.content
                assert not [name for name, value in ids.items() if value.encode() in told], f"{route.pattern}{query}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("v1/task", {"description": "go on", "session_id": "{session_id}"}),
        ("v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "session_id": "{session_id}"}),
        ("v1/responses", {"input": "hi", "background": True, "previous_response_id": "{response_id}"}),
        ("v1/batches", {"input_file_id": "{file_id}", "endpoint": "/v1/chat/completions", "completion_window": "24h"}),
    ],
)
def test_nor_can_it_be_named_in_a_body(
    cast: dict[str, tuple[ApiKey, str]], ids: Ids, path: str, body: dict[str, Any]
) -> None:
    said = json.loads(re.sub(r"\{(\w+_id)\}", lambda match: ids[match[1]], json.dumps(body)))
    answer = call(cast["charlie"][1], "POST", path, said, prefer="respond-async")
    assert answer.status_code == 404, answer.content[:300]


def test_every_post_takes_an_idempotency_key_and_refuses_another_request_under_it(
    cast: dict[str, tuple[ApiKey, str]], ids: Ids
) -> None:
    secret = cast["alice"][1]
    word = {"idempotency-key": "a-word"}
    assert call(secret, "POST", f"v1/jobs/{ids['job_id']}/cancel", **word).status_code == 200
    for route in routes():
        if "POST" in methods(route) and str(route.pattern) not in MULTIPART:
            answer = call(secret, "POST", filled(route, {**ids, "model": "haiku"}), {"any": "thing"}, **word)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused"), (
                route.pattern
            )
