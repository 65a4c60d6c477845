"""The same POST twice is done once, whatever becomes of the first one's connection."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import OpenAI

from tests.support.http import Answer, chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"


@pytest.fixture
def idempotency_key() -> str:
    return str(uuid.uuid4())


def ask(person: Person, idempotency_key: str, text: str, **fields: object) -> Answer:
    return person.http.post(CHAT, {**chat_body(text), **fields}, idempotency_key=idempotency_key)


def test_a_repeated_chat_is_answered_with_the_stored_answer(
    alice: Person, scripted_model: ScriptedServer, marker: str, idempotency_key: str
) -> None:
    first, second = (ask(alice, idempotency_key, f"[[say: Hi.]] {marker}") for _ in range(2))
    assert first.status == 200
    assert (second.status, second.body) == (200, first.body)
    assert second.headers["x-job-id"] == first.headers["x-job-id"]
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert len(scripted_model.log.containing(marker)) == 1


def test_a_repeated_stream_is_the_same_stream(
    alice: Person, scripted_model: ScriptedServer, marker: str, idempotency_key: str
) -> None:
    first, second = (ask(alice, idempotency_key, f"[[tokens: 20]] {marker}", stream=True) for _ in range(2))
    assert first.status == 200
    assert b"data: [DONE]" in first.body

    def text(answer: Answer) -> str:
        lines = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: {")]
        deltas = [json.loads(line)["choices"][0]["delta"] for line in lines]
        return "".join(delta.get("content") or "" for delta in deltas)

    assert text(first) == text(second) != ""
    assert len(scripted_model.log.containing(marker)) == 1


def test_many_at_once_follow_one_job(
    alice: Person, scripted_model: ScriptedServer, marker: str, idempotency_key: str
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ask(alice, idempotency_key, f"[[delay: 0.5]] {marker}"), range(8)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(scripted_model.log.containing(marker)) == 1


def test_who_lost_the_connection_gets_the_running_job_s_stream(
    alice: Person, scripted_model: ScriptedServer, marker: str, idempotency_key: str
) -> None:
    body = chat_body(f"[[tokens: 60]] [[rate: 20]] {marker}", stream=True)
    with alice.http.stream("POST", CHAT, body, headers={"idempotency-key": idempotency_key}) as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
    again = ask(alice, idempotency_key, f"[[tokens: 60]] [[rate: 20]] {marker}", stream=True)
    assert again.headers["x-job-id"] == job_id
    assert b'"finish_reason":"stop"' in again.body
    assert len(scripted_model.log.containing(marker)) == 1


def test_a_job_that_may_be_asked_for_again_does_not_end_with_its_client(
    alice: Person, marker: str, idempotency_key: str
) -> None:
    body = chat_body(f"[[tokens: 80]] [[rate: 20]] {marker}", stream=True)
    with alice.http.stream("POST", CHAT, body, headers={"idempotency-key": idempotency_key}) as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())

    def ended() -> bool:
        return bool(alice.http.get(f"/v1/jobs/{job_id}").json()["finished_at"])

    eventually(ended, seconds=60)
    assert alice.http.get(f"/v1/jobs/{job_id}").json()["status"] == "completed"


def test_another_request_under_the_same_idempotency_key_is_refused(
    alice: Person, marker: str, idempotency_key: str
) -> None:
    assert ask(alice, idempotency_key, f"[[say: Hi.]] {marker}").status == 200
    other = ask(alice, idempotency_key, f"[[say: Ho.]] {marker}")
    assert (other.status, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert other.headers["x-should-retry"] == "false"
    elsewhere = alice.http.post(
        "/v1/jobs/job_x/cancel", chat_body(f"[[say: Hi.]] {marker}"), idempotency_key=idempotency_key
    )
    assert elsewhere.status == 422


def test_what_other_keys_ask_under_the_same_idempotency_key_is_their_own(
    alice: Person, charlie: Person, marker: str, idempotency_key: str
) -> None:
    mine, theirs = (ask(person, idempotency_key, f"[[say: Hi.]] {marker}") for person in (alice, charlie))
    assert (mine.status, theirs.status) == (200, 200)
    assert mine.headers["x-job-id"] != theirs.headers["x-job-id"]


def test_what_failed_for_a_passing_reason_is_tried_anew(alice: Person, marker: str, idempotency_key: str) -> None:
    text = f"[[fail: 529]] {marker}"
    first, second = ask(alice, idempotency_key, text), ask(alice, idempotency_key, text)
    assert (first.status, second.status) == (529, 529)
    assert first.headers["x-job-id"] != second.headers["x-job-id"]


def test_what_failed_by_itself_is_not_paid_for_twice(alice: Person, marker: str, idempotency_key: str) -> None:
    text = f'[[usage: {{"input_tokens": 10, "output_tokens": 5}}]] [[fail: 400]] {marker}'
    first, second = ask(alice, idempotency_key, text), ask(alice, idempotency_key, text)
    assert (first.status, second.status) == (400, 400)
    assert first.headers["x-job-id"] == second.headers["x-job-id"]


def test_what_was_refused_before_anything_was_done_may_be_sent_again(
    alice: Person, marker: str, idempotency_key: str
) -> None:
    refused = ask(alice, idempotency_key, f"hello {marker}", model="opus")
    assert refused.status == 403
    assert ask(alice, idempotency_key, f"[[say: Hi.]] {marker}").status == 200


def test_a_post_that_makes_nothing_is_answered_as_before(alice: Person, marker: str, idempotency_key: str) -> None:
    job_id = alice.http.chat(f"[[say: Hi.]] {marker}").headers["x-job-id"]
    path = f"/v1/jobs/{job_id}/cancel"
    first, second = (alice.http.post(path, idempotency_key=idempotency_key) for _ in range(2))
    assert (first.status, second.status, second.body) == (200, 200, first.body)
    assert second.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("bad", ["", "x" * 256, "a b", "é"])
def test_a_word_that_is_none_is_refused(alice: Person, bad: str) -> None:
    answer = ask(alice, bad, "hello")
    assert (answer.status, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_the_sdk_can_send_one(
    service: Service, alice: Person, scripted_model: ScriptedServer, marker: str, idempotency_key: str
) -> None:
    headers = {"Idempotency-Key": idempotency_key}
    with OpenAI(base_url=f"{service.url}/v1", api_key=alice.key, max_retries=0, timeout=90) as client:
        ids = {
            client.chat.completions.create(
                model="haiku", messages=[{"role": "user", "content": f"[[say: Hi.]] {marker}"}], extra_headers=headers
            ).id
            for _ in range(2)
        }
    assert len(ids) == 1
    assert len(scripted_model.log.containing(marker)) == 1
