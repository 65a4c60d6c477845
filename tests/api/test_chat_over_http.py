import json
import time

import pytest

from tests.support.http import chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, ServiceFactory
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"


def test_an_answer_names_its_request_and_its_job(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[say: Hi.]] {marker}")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-job-id"] == answer.json()["x_claude"]["job_id"]
    assert answer.json()["id"].endswith(answer.headers["x-job-id"].removeprefix("job_"))


def test_two_answers_never_share_an_id(alice: Person, marker: str) -> None:
    one, other = (alice.http.chat(f"[[say: Hi.]] {marker}") for _ in range(2))
    for name in ("x-request-id", "x-job-id"):
        assert one.headers[name] != other.headers[name]


def test_parameters_without_effect_are_listed(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[say: Hi.]] {marker}", seed=1, store=False, service_tier="auto")
    assert answer.status == 200
    assert answer.headers["x-ignored-params"] == "seed, service_tier, store"
    assert "x-ignored-params" not in alice.http.chat(f"[[say: Hi.]] {marker}").headers


def test_a_failure_names_its_job_too(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[fail: 529]] {marker}")
    assert (answer.status, answer.json()["error"]["code"]) == (529, "overloaded")
    job = alice.http.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()
    assert job["status"] == "failed"


def test_a_stream_is_event_stream_that_no_proxy_holds_back(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[say: Hi.]] {marker}") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert "no-transform" in stream.headers["cache-control"]
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["x-job-id"].startswith("job_")
        events = list(stream.events())
    assert events[-1].data == "[DONE]"
    last = events[-2].json()
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["x_claude"]["output_tokens"] > 0


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "*/*"])
def test_whether_it_streams_is_said_by_the_body_alone(alice: Person, marker: str, accept: str) -> None:
    body = chat_body(f"[[say: Hi.]] {marker}")
    assert alice.http.post(CHAT, body, accept=accept).headers["content-type"] == "application/json"
    streamed = alice.http.post(CHAT, {**body, "stream": True}, accept=accept)
    assert streamed.headers["content-type"] == "text/event-stream"


def test_the_first_token_does_not_wait_for_the_second(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 6]] [[rate: 2]] {marker}") as stream:
        started, arrived = time.monotonic(), []
        for event in stream.events():
            if event.data != "[DONE]" and event.json()["choices"][0]["delta"].get("content"):
                arrived.append(time.monotonic() - started)
    assert arrived[-1] - arrived[0] > 1.5


def test_a_failure_midway_is_a_chunk_with_the_error_and_the_end(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]] {marker}") as stream:
        assert stream.status == 200
        events = list(stream.events())
    assert events[-1].data == "[DONE]"
    assert set(json.loads(events[-2].data)["error"]) == {"message", "type", "param", "code"}


def test_a_job_over_its_cost_is_a_402_that_is_not_to_be_retried(new_service: ServiceFactory, marker: str) -> None:
    service = new_service(JOB_MAX_COST_USD="0.000001", WORKERS="1", CLAUDE_SLOTS="1")
    answer = service.alice.http.chat(f"[[say: Hi.]] {marker}")
    assert (answer.status, answer.json()["error"]["code"]) == (402, "cost_limit")
    assert answer.headers["x-should-retry"] == "false"


def test_a_cancelled_chat_is_a_409_that_is_not_to_be_retried(
    alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    with alice.http.stream("POST", CHAT, chat_body(f"[[tokens: 3]] [[hang: 3]] {marker}", stream=True)) as stream:
        alice.http.post(f"/v1/jobs/{stream.headers['x-job-id']}/cancel")
        events = list(stream.events())
    assert json.loads(events[-2].data)["error"]["code"] == "cancelled"
    eventually(lambda: scripted_model.log.containing(marker)[0]["finished"])
