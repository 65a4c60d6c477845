"""`/metrics`: exact figures in the format that Prometheus reads, for nobody but who may see them."""

from collections.abc import Callable

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from tests.support.service import Person, Service

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def samples(service: Service) -> Callable[[], Samples]:
    """What the service says now."""

    def read() -> Samples:
        answer = service.http().get("/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        families = text_string_to_metric_families(answer.body.decode())
        return {
            (each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples
        }

    return read


def test_a_chat_is_counted_with_its_tokens_and_cost(
    service: Service, alice: Person, samples: Callable[[], Samples]
) -> None:
    def value(name: str, **labels: str) -> float:
        return samples().get((name, frozenset(labels.items())), 0.0)

    haiku = "claude-haiku-5-5"
    names = ("ccs_requests_total", "ccs_tokens_total", "ccs_cost_usd_total", "ccs_latency_seconds_count")
    labels: tuple[dict[str, str], ...] = (
        {"model": haiku, "kind": "chat", "status": "completed"},
        {"model": haiku, "type": "output"},
        {"model": haiku},
        {},
    )
    before = [value(name, **each) for name, each in zip(names, labels, strict=True)]
    answer = alice.http.chat('[[usage: {"output_tokens": 1000}]] hello', model="haiku")
    after = [value(name, **each) for name, each in zip(names, labels, strict=True)]
    grown = [new - old for new, old in zip(after, before, strict=True)]
    assert grown[:2] == [1, 1000]
    assert grown[2] == pytest.approx(answer.json()["x_claude"]["cost_usd"])
    assert grown[3] == 1


def test_buckets_count_up_to_everything(alice: Person, samples: Callable[[], Samples]) -> None:
    assert alice.http.chat("hello").status == 200
    found = samples()
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in found.items()
        if name == "ccs_latency_seconds_bucket"
    )
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == found["ccs_latency_seconds_count", frozenset()] > 0
    assert found["ccs_latency_seconds_sum", frozenset()] > 0


def test_workers_slots_and_http_requests_are_there(service: Service, samples: Callable[[], Samples]) -> None:
    service.wait_until_ready()
    assert service.http().get("/v1/jobs/x").status == 401
    found = samples()
    assert found["ccs_valkey_up", frozenset()] == 1
    assert found["ccs_workers", frozenset()] >= 1
    assert found["ccs_cli_slots", frozenset()] == 4
    assert found["ccs_queue_oldest_seconds", frozenset()] >= 0
    route = {("method", "GET"), ("route", "/v1/jobs/<str:job_id>"), ("status", "401")}
    assert found["ccs_http_requests_total", frozenset(route)] >= 1
    assert not [labels for _, labels in found if any("/v1/jobs/x" in value for _, value in labels)]


def test_who_comes_through_a_proxy_or_from_elsewhere_is_refused(service: Service, client: Client, db: None) -> None:
    assert service.http().get("/metrics", x_forwarded_for="192.0.2.1").status == 403
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200


def test_with_a_token_whoever_has_it_is_answered(client: Client, settings: Settings, db: None) -> None:
    settings.METRICS_TOKEN = "a token"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer another"}).status_code == 401
    answer = client.get("/metrics", headers={"authorization": "Bearer a token"}, REMOTE_ADDR="192.0.2.1")
    assert answer.status_code == 200
    assert b"ccs_info" in answer.content
