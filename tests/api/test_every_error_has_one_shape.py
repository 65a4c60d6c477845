"""Whatever goes wrong, wherever: four fields, a request id, and no page of HTML."""

from typing import Any

import pytest

from tests.support.http import Answer, Http, chat_body
from tests.support.service import Person, Service

CHAT = "/v1/chat/completions"


def error_of(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert body["error"]["code"]
    fields: dict[str, Any] = body["error"]
    return fields


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "/v1/a%00b"])
def test_an_unknown_address_is_a_404(alice: Person, method: str, path: str) -> None:
    assert error_of(alice.http.request(method, path), 404)["code"] == "not_found"


def test_an_unknown_address_outside_of_the_api_is_a_404_too(service: Service) -> None:
    assert error_of(service.http().get("/nothing"), 404)["code"] == "not_found"


def test_what_is_not_built_is_a_404_too(alice: Person) -> None:
    for path in ("/v1/embeddings", "/v1/audio/speech", "/v1/images/generations"):
        error_of(alice.http.post(path, {}), 404)


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/v1/jobs", "/v1/jobs/job_x", "/v1/jobs/job_x/events"])
def test_without_a_key_the_answer_is_401(service: Service, path: str) -> None:
    answer = service.http().get(path)
    assert error_of(answer, 401)["code"] == "missing_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "key",
    [
        "wrong",
        "ccs_live_aaaaaaaaaaaa_" + "a" * 32 + "_000000",
        "x" * 5000,
        "é",
    ],
)
def test_a_wrong_key_is_always_the_same_401(service: Service, key: str) -> None:
    answer = service.http().request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
    assert error_of(answer, 401)["code"] == "invalid_api_key"


def test_other_schemes_are_no_key(service: Service) -> None:
    answer = service.http().request("GET", "/v1/models", headers={"authorization": "Basic YWxpY2U6eA=="})
    error_of(answer, 401)


def test_a_key_in_x_api_key_opens_too(service: Service, alice: Person) -> None:
    assert service.http().request("GET", "/v1/models", headers={"x-api-key": alice.key}).status == 200


@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "x-api-key", "anything"])
def test_a_key_in_the_address_is_refused_even_beside_a_good_one(alice: Person, name: str) -> None:
    assert error_of(alice.http.get(f"/v1/models?{name}={alice.key}"), 400)["code"] == "key_in_query"


def test_a_wrong_method_is_a_405_that_names_the_right_ones(alice: Person) -> None:
    answer = alice.http.get(CHAT)
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"
    error_of(alice.http.request("OPTIONS", "/v1/models"), 405)
    error_of(alice.http.request("TRACE", "/v1/models"), 405)


def test_a_media_type_that_nobody_has_is_a_406(alice: Person) -> None:
    error_of(alice.http.get("/v1/models", accept="image/png"), 406)
    error_of(alice.http.post(CHAT, chat_body("Hi"), accept="image/png"), 406)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_that_is_not_json_by_its_header_is_a_415(alice: Person, content_type: str) -> None:
    answer = alice.http.request("POST", CHAT, b"{}", headers={"content-type": content_type})
    assert "application/json" in error_of(answer, 415)["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b'{"a": NaN}', b"\xff", b"[" * 5000])
def test_a_malformed_body_is_a_400(alice: Person, body: bytes) -> None:
    assert error_of(alice.http.post(CHAT, body), 400)["code"] == "invalid_json"


def test_a_body_of_the_wrong_kind_is_a_400(alice: Person) -> None:
    error_of(alice.http.post(CHAT, b"[]"), 400)
    error_of(alice.http.post(CHAT, b"null"), 400)


def test_a_body_of_more_than_ten_megabytes_is_a_413(alice: Person) -> None:
    assert error_of(alice.http.post(CHAT, chat_body("x" * (10 * 1024 * 1024))), 413)["code"] == "request_too_large"


def test_images_may_be_larger_but_not_endless(alice: Person) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (12 * 1024 * 1024)}}
    body = {"model": "sonnet", "messages": [{"role": "user", "content": [image]}]}
    assert error_of(alice.http.post(CHAT, body), 400)["param"] == "messages[0].content[0].image_url.url"
    answer = alice.http.post(CHAT, b'{"x": "data:image/' + b"A" * (33 * 1024 * 1024) + b'"}')
    assert answer.status == 413
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_an_unknown_model_is_a_404_naming_the_parameter(alice: Person) -> None:
    error = error_of(alice.http.chat("Hi", model="gpt-9"), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_stream_s_mistakes_are_plain_http_errors(alice: Person) -> None:
    error = error_of(alice.http.chat("Hi", stream=True, tools=[{"type": "function"}]), 400)
    assert error["param"] == "tools[0].function"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=%C2%B2", "status=done", "created_after=soon"]
)
def test_a_filter_that_makes_no_sense_is_a_400_naming_it(alice: Person, query: str) -> None:
    assert error_of(alice.http.get(f"/v1/jobs?{query}"), 400)["param"] == query.split("=")[0]


def test_a_host_that_is_not_ours_gets_no_page(service: Service) -> None:
    answer = service.http().request("GET", "/docs", headers={"host": "evil.example"})
    error_of(answer, 400)


def test_the_admin_keeps_its_own_pages(service: Service) -> None:
    answer = Http(service.url).get("/admin/nothing/")
    assert answer.headers["content-type"].startswith("text/html")
