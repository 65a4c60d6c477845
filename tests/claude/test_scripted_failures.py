import http.client
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import Http
from tests.support.processes import Ended
from tests.support.scripted import ScriptedServer
from tests.support.waiting import eventually

MODEL = "claude-sonnet-4-6"


@pytest.fixture(scope="module")
def api(scripted_model: ScriptedServer) -> Http:
    return Http(scripted_model.url)


def request(text: str, **fields: object) -> dict[str, object]:
    return {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **fields}


def test_a_failure_has_its_status_type_and_retry_after(api: Http) -> None:
    answer = api.post("/v1/messages", request("[[fail: 529 retry-after=7]]"))
    assert (answer.status, answer.headers["retry-after"]) == (529, "7")
    assert answer.json() == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": answer.headers["request-id"],
    }


def test_a_failure_may_last_only_some_times(api: Http, marker: str) -> None:
    statuses = [api.post("/v1/messages", request(f"{marker} [[fail: 429 times=2]]")).status for _ in range(3)]
    assert statuses == [429, 429, 200]


def test_a_failure_may_come_in_the_middle_of_a_stream(api: Http) -> None:
    with api.stream("POST", "/v1/messages", request("[[tokens: 99]] [[fail: 529 after=10]]", stream=True)) as answer:
        events = list(answer.events())
    assert [event.event for event in events][-2:] == ["content_block_delta", "error"]
    assert events[-1].json()["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        (b"{", 400, "invalid_request_error", "not valid JSON"),
        (b"[]", 400, "invalid_request_error", "not a JSON object"),
        ({}, 400, "invalid_request_error", "model: Field required"),
        (request("x", messages=[]), 400, "invalid_request_error", "at least one message"),
        (request("x", max_tokens=None), 400, "invalid_request_error", "max_tokens: Field required"),
        (request("[[tokens: many]]"), 400, "invalid_request_error", "[[tokens: …]]"),
        (request("x", model="gpt-4"), 404, "not_found_error", "model: gpt-4"),
    ],
)
def test_a_bad_request_is_refused_in_the_apis_shape(
    api: Http, body: object, status: int, kind: str, message: str
) -> None:
    answer = api.post("/v1/messages", body)
    assert (answer.status, answer.json()["error"]["type"]) == (status, kind)
    assert message in answer.json()["error"]["message"]


def test_a_body_over_32_mb_is_refused(api: Http) -> None:
    answer = api.post("/v1/messages", b" " * (33 << 20))
    assert (answer.status, answer.json()["error"]["type"]) == (413, "request_too_large")


def test_every_other_path_is_404_in_the_apis_shape(api: Http) -> None:
    for method, path in (("GET", "/"), ("GET", "/v1/messages"), ("POST", "/v1/complete"), ("PUT", "/log/x")):
        answer = api.request(method, path)
        assert (answer.status, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_a_cut_ends_the_connection_after_so_many_tokens_and_bills_only_those(
    scripted_model: ScriptedServer, api: Http, marker: str
) -> None:
    body = request(f"{marker} [[tokens: 99]] [[cut: 10]]", stream=True)
    with api.stream("POST", "/v1/messages", body) as answer, pytest.raises(http.client.IncompleteRead) as error:
        answer.read()
    assert error.value.partial.endswith(b'"text":"000 001 002 003 004 005 006 007 008 009 "}}\n\n')
    entry = scripted_model.log.one(marker)
    assert (entry["tokens_sent"], entry["usage"]["output_tokens"], entry["disconnected"]) == (10, 10, False)


def test_a_whole_answer_can_be_cut_too(api: Http) -> None:
    with pytest.raises(http.client.IncompleteRead):
        api.post("/v1/messages", request("[[tokens: 99]] [[cut: 10]]"))


def test_a_hang_lasts_until_the_client_leaves_and_the_log_tells(
    scripted_model: ScriptedServer, api: Http, marker: str
) -> None:
    with api.stream("POST", "/v1/messages", request(f"{marker} [[tokens: 9]] [[hang: 3]]", stream=True)) as answer:
        events = answer.events()
        text = next(event.json()["delta"]["text"] for event in events if event.event == "content_block_delta")
        assert text == "000 001 002 "
        (entry,) = scripted_model.log.containing(marker)
        assert not entry["finished"]
    entry = scripted_model.log.one(marker)
    assert entry["disconnected"]
    assert entry["usage"]["output_tokens"] == entry["tokens_sent"] == 3


def test_pings_come_while_nothing_else_does(api: Http) -> None:
    with api.stream("POST", "/v1/messages", request("[[hang: 0]] [[ping: 0.02]]", stream=True)) as answer:
        events = answer.events()
        assert [next(events).event for _ in range(5)] == ["message_start", "ping", "ping", "ping", "ping"]


def arrivals(api: Http, text: str) -> tuple[float, list[float]]:
    """Seconds until the response headers, and until each token."""
    began = time.monotonic()
    with api.stream("POST", "/v1/messages", request(text, stream=True)) as answer:
        headers = time.monotonic() - began
        events: list[Any] = []
        for event in answer.events():
            if event.event == "content_block_delta":
                events.append(time.monotonic() - began)
    return headers, events


def test_tokens_come_at_the_rate_asked_for_after_the_wait_asked_for(api: Http) -> None:
    headers, tokens = arrivals(api, "[[tokens: 20]] [[rate: 50]] [[first: 1]]")
    assert tokens[0] >= 1
    assert tokens[0] - headers > 0.3, "the headers do not wait for the first token"
    assert 1 + 19 / 50 <= tokens[-1] + 0.002 < 1 + 19 / 5


def test_a_delay_comes_before_the_headers(api: Http) -> None:
    headers, _ = arrivals(api, "[[delay: 0.3]]")
    assert headers >= 0.3


def test_the_log_has_what_was_asked_and_what_was_sent(scripted_model: ScriptedServer, api: Http, marker: str) -> None:
    answer = api.post("/v1/messages?beta=true", request(marker), x_api_key="sk-1")
    entry = scripted_model.log.one(marker)
    assert entry["body"] == request(marker)
    assert (entry["method"], entry["path"], entry["headers"]["x-api-key"]) == ("POST", "/v1/messages?beta=true", "sk-1")
    assert (entry["status"], entry["usage"]) == (200, answer.json()["usage"])
    assert entry["bytes_sent"] == len(answer.body)


def test_totals_are_kept(tmp_path: Path) -> None:
    server = ScriptedServer(tmp_path)
    try:
        api = Http(server.url)
        for text in ("[[tokens: 5]]", "[[tokens: 6]]", "[[fail: 500]]"):
            api.post("/v1/messages", request(text))
        stats = server.stats()
        assert (stats["requests"], stats["statuses"], stats["in_flight"]) == (3, {"200": 2, "500": 1}, 0)
        assert stats["usage"]["output_tokens"] == 11
        api.request("DELETE", "/log")
        assert server.stats()["requests"] == 0
    finally:
        server.stop()


def test_another_credential_than_the_required_one_is_refused(tmp_path: Path) -> None:
    server = ScriptedServer(tmp_path, "--require-key", "sk-right")
    try:
        api = Http(server.url)
        assert api.post("/v1/messages", request("x"), x_api_key="sk-wrong").status == 401
        assert api.post("/v1/messages", request("x"), x_api_key="sk-right").status == 200
        assert api.post("/v1/messages", request("x"), authorization="Bearer sk-right").status == 200
    finally:
        server.stop()


def test_the_log_forgets_the_oldest(tmp_path: Path) -> None:
    server = ScriptedServer(tmp_path, "--log-limit", "2")
    try:
        for n in range(4):
            Http(server.url).post("/v1/messages", request(f"number {n}"))
        assert [entry["body"]["messages"][0]["content"] for entry in server.log.containing("")] == [
            "number 2",
            "number 3",
        ]
    finally:
        server.stop()


def test_a_taken_port_is_one_clear_line(scripted_model: ScriptedServer, tmp_path: Path) -> None:
    port = scripted_model.url.rsplit(":", 1)[1]
    with pytest.raises(Ended, match=rf"cannot listen on 127.0.0.1:{port}: .*in use"):
        ScriptedServer(tmp_path, "--port", port)


def test_stopping_closes_the_port(tmp_path: Path) -> None:
    server = ScriptedServer(tmp_path)
    assert server.program.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        Http(server.url).get("/stats")
    assert eventually(lambda: server.program.exit_status == 0)
