"""A key's pace, as its holders see it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import OpenAI, RateLimitError
from websockets.sync.client import connect

from tests.api.test_streaming_over_a_socket import close_code, hear, say, until, url_of
from tests.support.http import Answer, Http, chat_body
from tests.support.service import Service, ServiceFactory


def limited(service: Service, *options: str) -> str:
    """A new key of its own project with those limits."""
    return str(json.loads(service.manage("issue_key", "paced", "--json", *options))["key"])


def test_200_parallel_requests_at_the_limit_pass_exactly_the_limit(service: Service, marker: str) -> None:
    http = service.http(limited(service, "--requests-per-minute", "20"))
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(lambda _: http.chat(f"[[say: Hi.]] {marker}"), range(200)))
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert (len(passed), len(refused)) == (20, 180)
    assert sorted(int(each.headers["x-ratelimit-remaining-requests"]) for each in passed) == list(range(20))
    for answer in refused:
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"
        assert 1 <= int(answer.headers["retry-after"]) <= 61


def test_answers_say_where_the_key_stands_as_openai_s_do(service: Service, marker: str) -> None:
    key = limited(service, "--requests-per-minute", "50", "--tokens-per-minute", "9000")
    with OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0, timeout=90) as client:
        asked = {"model": "haiku", "messages": [{"role": "user", "content": f"[[say: Hi.]] {marker}"}]}
        raw = client.chat.completions.with_raw_response.create(**asked, max_tokens=100)  # type: ignore[call-overload]
        assert raw.headers["x-ratelimit-limit-requests"] == "50"
        assert raw.headers["x-ratelimit-remaining-requests"] == "49"
        assert raw.headers["x-ratelimit-limit-tokens"] == "9000"
        assert raw.headers["x-ratelimit-reset-tokens"].endswith("s")
        with client.chat.completions.with_streaming_response.create(**asked, stream=True) as streamed:  # type: ignore[call-overload]
            assert streamed.headers["x-ratelimit-remaining-requests"] == "48"
        with pytest.raises(RateLimitError) as refused:
            client.chat.completions.create(**asked, max_tokens=9000)  # type: ignore[call-overload]
    assert refused.value.code == "rate_limit_exceeded"
    assert "tokens per minute" in refused.value.message


def test_a_socket_s_chats_are_paced_too_and_the_socket_goes_on(service: Service, marker: str) -> None:
    key = limited(service, "--requests-per-minute", "1")
    with connect(url_of(service), additional_headers={"authorization": f"Bearer {key}"}) as ws:
        say(ws, type="chat", **chat_body(f"[[say: Hi.]] {marker}"))
        assert until(ws, "done", "error")[-1]["type"] == "done"
        say(ws, type="chat", id="q2", **chat_body("hello"))
        error = hear(ws)
        assert (error["id"], error["code"]) == ("q2", "rate_limit_exceeded")


def test_a_key_s_own_model_answers_requests_that_name_none(service: Service, marker: str) -> None:
    http = service.http(limited(service, "--default-model", "haiku"))
    body = {"messages": [{"role": "user", "content": f"[[say: Hi.]] {marker}"}]}
    assert "haiku" in http.post("/v1/chat/completions", body).json()["model"]
    key = limited(service, "--default-model", "haiku")
    with connect(url_of(service), additional_headers={"authorization": f"Bearer {key}"}) as ws:
        say(ws, type="chat", **body)
        assert "haiku" in until(ws, "done", "error")[-1]["model"]


def test_who_tries_keys_is_told_to_wait_and_working_keys_of_that_address_still_work(
    new_service: ServiceFactory,
) -> None:
    service = new_service(AUTH_FAILURES_PER_MINUTE="3", WORKERS="1")
    alice = service.alice.http
    stranger = Http(service.url, key="ccs_live_wrong")
    answers = [stranger.get("/v1/models") for _ in range(5)]
    assert [answer.status for answer in answers] == [401, 401, 401, 429, 429]
    _is_told_to_wait(answers[-1])
    with connect(url_of(service)) as ws:
        say(ws, type="auth", api_key="wrong")
        assert hear(ws)["code"] == "rate_limit_exceeded"
        assert close_code(ws) == 4429
    assert alice.get("/v1/models").status == 200
    assert Http(service.url).get("/v1/models").status == 401, "who sends no key tries none"


def _is_told_to_wait(answer: Answer) -> None:
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 61
