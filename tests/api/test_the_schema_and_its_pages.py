import json
import re
from typing import Any

import pytest
from django.contrib.staticfiles.finders import find
from django.test import Client
from django.urls import get_resolver

from apps.api.views.docs import schema
from config.env import ROOT

FILE = ROOT / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(schema())


def test_the_committed_schema_is_the_one_that_is_served(document: Any) -> None:
    command = "bin/manage spectacular --format openapi-json --file docs/openapi.json"
    assert json.loads(FILE.read_text()) == document, f"run {command}"


def test_every_address_of_the_api_is_described(document: Any) -> None:
    routes = {str(pattern.pattern) for pattern in get_resolver("apps.api.urls").url_patterns}
    described = {path.removeprefix("/") for path in document["paths"]}
    known = {re.sub(r"<\w+:(\w+)>", r"{\1}", route) for route in routes if not route.startswith("^")}
    assert known - described == {"openapi.json", "docs", "redoc"}


def test_chat_and_events_are_described_as_json_and_as_a_stream(document: Any) -> None:
    for path, method in (("/v1/chat/completions", "post"), ("/v1/jobs/{job_id}/events", "get")):
        content = document["paths"][path][method]["responses"]["200"]["content"]
        assert set(content) == {"application/json", "text/event-stream"}


def test_every_error_has_the_shape_of_its_wire(document: Any) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    reference = response["content"]["application/json"]["schema"]["$ref"]
                    shape = "AnthropicErrorBody" if path.startswith("/v1/messages") else "ErrorBody"
                    assert reference.split("/")[-1] in {shape, "NotReadyReport"}, (path, status)


def test_only_what_machines_look_at_needs_no_key(document: Any) -> None:
    opened = {
        path for path, operations in document["paths"].items() for it in operations.values() if not it.get("security")
    }
    assert opened == {"/health", "/ready", "/metrics"}


def test_the_schema_is_served_to_everybody(client: Client) -> None:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_load_nothing_but_what_we_serve(client: Client, page: str) -> None:
    html = client.get(page, headers={"host": "localhost"}).content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) >= 4
    for address in loaded:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        if address.startswith("/static/"):
            assert find(address.removeprefix("/static/")), address
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_run_nothing_that_is_not_ours(client: Client, page: str) -> None:
    policy = client.get(page, headers={"host": "localhost"}).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert ("unsafe-inline" in policy) == (page == "/redoc")  # for the styles that Redoc writes as it runs
    assert "script-src 'self' 'unsafe-inline'" not in policy
