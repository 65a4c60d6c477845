"""`WS /v1/stream` with a real client."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.http import chat_body
from tests.support.service import Person, Service

Open = Callable[..., ClientConnection]


def url_of(service: Service, query: str = "") -> str:
    return service.url.replace("http", "ws", 1) + "/v1/stream" + query


def with_key(person: Person) -> dict[str, str]:
    return {"authorization": f"Bearer {person.key}"}


def say(ws: ClientConnection, **message: Any) -> None:
    ws.send(json.dumps(message))


def hear(ws: ClientConnection, *, seconds: float = 60.0) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(ws.recv(timeout=seconds))
    return frame


def until(ws: ClientConnection, *types: str) -> list[dict[str, Any]]:
    frames = [hear(ws)]
    while frames[-1]["type"] not in types:
        frames.append(hear(ws))
    return frames


def close_code(ws: ClientConnection, *, seconds: float = 60.0) -> int | None:
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            ws.recv(timeout=max(0.01, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    except TimeoutError:
        pass
    return None


@pytest.fixture
def ws(service: Service, alice: Person) -> Iterator[ClientConnection]:
    with connect(url_of(service), additional_headers=with_key(alice)) as connection:
        yield connection


def test_a_chat_is_answered_token_by_token(ws: ClientConnection, marker: str) -> None:
    say(ws, type="chat", **chat_body(f"[[tokens: 20]] [[rate: 10]] {marker}"))
    queued, started, *tokens, done = until(ws, "done")
    assert [queued["type"], started["type"]] == ["queued", "started"]
    assert {frame["type"] for frame in tokens} == {"token"}
    assert len(tokens) > 2
    assert "".join(frame["content"] for frame in tokens) == done["result"]
    assert {frame["job_id"] for frame in (queued, started, *tokens, done)} == {queued["job_id"]}
    assert [frame["sequence_number"] for frame in (started, *tokens, done)] == list(range(1, len(tokens) + 3))
    assert done["usage"]["output_tokens"] == 20
    assert done["cost_usd"] > 0


def test_a_function_s_call_comes_over_the_socket_in_pieces(ws: ClientConnection, marker: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    prompt = f'[[say: Let me see.]] [[tool: weather {{"city": "{"Oslo " * 30}"}}]] {marker}'
    say(ws, type="chat", id="mine", **chat_body(prompt), tools=tools, tool_choice="required")
    frames = until(ws, "done", "error")
    assert {frame["id"] for frame in frames} == {"mine"}, "a call's id is not the client's"
    (called,) = [frame for frame in frames if frame["type"] == "tool_use"]
    assert (called["name"], called["input"]) == ("weather", None)
    pieces = [frame for frame in frames if frame["type"] == "tool_input"]
    assert {frame["tool_use_id"] for frame in pieces} == {called["tool_use_id"]}
    assert json.loads("".join(frame["partial_json"] for frame in pieces)) == {"city": "Oslo " * 30}
    done = frames[-1]
    assert (done["stop_reason"], done["content"][-1]["input"]) == ("tool_use", {"city": "Oslo " * 30})


def test_structured_output_comes_over_the_socket(ws: ClientConnection, marker: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}
    say(ws, type="chat", **chat_body(f'[[json: {{"n": 1}}]] {marker}'), response_format=form)
    done = until(ws, "done", "error")[-1]
    assert done["structured_output"] == {"n": 1}


def test_the_client_s_id_is_echoed_and_several_jobs_share_a_socket(ws: ClientConnection, marker: str) -> None:
    for number in range(3):
        say(ws, type="chat", id=f"q{number}", **chat_body(f"[[say: answer {number}]] {marker}"))
    results: dict[str, str] = {}
    while len(results) < 3:
        frame = hear(ws)
        assert frame["id"] in {"q0", "q1", "q2"}
        if frame["type"] == "done":
            results[frame["id"]] = frame["result"]
    assert results == {f"q{number}": f"answer {number}" for number in range(3)}


def test_the_key_may_come_as_the_first_message(service: Service, alice: Person, marker: str) -> None:
    with connect(url_of(service)) as ws:
        say(ws, type="auth", api_key=alice.key)
        say(ws, type="chat", **chat_body(f"[[say: Hi.]] {marker}"))
        assert until(ws, "done", "error")[-1]["result"] == "Hi."


def test_who_says_nothing_is_shown_out_after_five_seconds(service: Service) -> None:
    with connect(url_of(service)) as ws:
        began = time.monotonic()
        assert hear(ws)["code"] == "auth_timeout"
        assert close_code(ws) == 4408
        assert time.monotonic() - began > 4


@pytest.mark.parametrize(
    "first",
    ['{"type": "auth", "api_key": "wrong"}', '{"type": "chat"}', "hello", '{"type": "follow", "job_id": "x"}'],
)
def test_without_a_valid_key_nothing_is_done(service: Service, first: str) -> None:
    with connect(url_of(service)) as ws:
        ws.send(first)
        assert hear(ws)["type"] == "error"
        assert close_code(ws) == 4401


def test_a_wrong_key_in_the_header_is_no_second_chance(service: Service, alice: Person) -> None:
    with connect(url_of(service), additional_headers={"authorization": "Bearer wrong"}) as ws:
        assert hear(ws)["code"] == "invalid_api_key"
        assert close_code(ws) == 4401


def test_a_key_in_the_address_is_refused(service: Service, alice: Person) -> None:
    with connect(url_of(service, f"?api_key={alice.key}"), additional_headers=with_key(alice)) as ws:
        assert hear(ws)["code"] == "key_in_query"
        assert close_code(ws) == 4401


def test_pages_of_other_origins_are_refused(service: Service, alice: Person) -> None:
    with connect(url_of(service), additional_headers=with_key(alice), origin=Origin("https://evil.example")) as ws:
        assert hear(ws)["code"] == "origin_not_allowed"
        assert close_code(ws) == 4403


def test_pages_of_our_own_origin_are_welcome(service: Service, alice: Person, marker: str) -> None:
    with connect(url_of(service), additional_headers=with_key(alice), origin=Origin(service.url)) as ws:
        say(ws, type="chat", **chat_body(f"[[say: Hi.]] {marker}"))
        assert until(ws, "done", "error")[-1]["type"] == "done"


def test_a_mistake_is_an_error_frame_and_the_socket_goes_on(ws: ClientConnection, marker: str) -> None:
    say(ws, type="chat", id="q1", messages=[], model="sonnet")
    error = hear(ws)
    assert (error["type"], error["id"], error["param"]) == ("error", "q1", "messages")
    ws.send("not json")
    assert hear(ws)["code"] == "invalid_json"
    say(ws, type="chat", id="q2", **chat_body("Hi", model="opus"))
    assert hear(ws)["code"] == "model_not_allowed"
    say(ws, type="chat", **chat_body(f"[[say: Hi.]] {marker}"))
    assert until(ws, "done", "error")[-1]["type"] == "done"


def test_a_failed_job_has_the_same_code_as_over_http(ws: ClientConnection, marker: str) -> None:
    say(ws, type="chat", **chat_body(f"[[fail: 429 retry-after=7]] {marker}"))
    error = until(ws, "done", "error")[-1]
    assert (error["type"], error["code"]) == ("error", "rate_limit_exceeded")


def test_a_job_can_be_followed_from_anywhere_in_it(ws: ClientConnection, alice: Person, marker: str) -> None:
    job_id = alice.http.chat(f"[[tokens: 30]] [[rate: 100]] {marker}").headers["x-job-id"]
    say(ws, type="follow", job_id=job_id, id=1)
    whole = until(ws, "done")
    assert [frame["sequence_number"] for frame in whole] == list(range(1, len(whole) + 1))
    say(ws, type="follow", job_id=job_id, starting_after=2, id=2)
    rest = until(ws, "done")
    assert [{**frame, "id": 1} for frame in rest] == whole[2:]


def test_a_job_can_be_cancelled_by_socket(ws: ClientConnection, marker: str) -> None:
    say(ws, type="chat", **chat_body(f"[[tokens: 4000]] [[rate: 50]] {marker}"))
    job_id = until(ws, "token")[-1]["job_id"]
    say(ws, type="cancel", job_id=job_id, id="c")
    frames = until(ws, "error")
    assert {"type": "cancel_requested", "job_id": job_id, "id": "c"} in frames
    assert (frames[-1]["code"], frames[-1]["job_id"], frames[-1]["status"]) == ("cancelled", job_id, "cancelled")


@pytest.mark.parametrize("kind", ["follow", "cancel"])
def test_another_project_s_job_does_not_exist_here_either(
    service: Service, alice: Person, charlie: Person, marker: str, kind: str
) -> None:
    job_id = alice.http.chat(f"[[say: Secret.]] {marker}").headers["x-job-id"]
    with connect(url_of(service), additional_headers=with_key(charlie)) as ws:
        say(ws, type=kind, job_id=job_id)
        assert hear(ws)["code"] == "not_found"


def test_a_second_key_on_one_socket_is_refused(ws: ClientConnection, charlie: Person) -> None:
    say(ws, type="auth", api_key=charlie.key)
    assert hear(ws)["type"] == "error"


def test_a_frame_of_more_than_256_kb_ends_the_socket(ws: ClientConnection) -> None:
    say(ws, type="chat", **chat_body("x" * (257 * 1024)))
    assert close_code(ws) == 1009


def test_more_jobs_than_one_socket_may_follow_end_it(service: Service, alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 4000]] [[rate: 20]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        with connect(url_of(service), additional_headers=with_key(alice)) as ws:
            for number in range(65):
                say(ws, type="follow", job_id=job_id, id=number)
            assert close_code(ws) == 4429


def test_an_unknown_socket_address_is_refused(service: Service, alice: Person) -> None:
    with pytest.raises(Exception, match=r"40[34]"):
        connect(service.url.replace("http", "ws") + "/v1/nothing", additional_headers=with_key(alice))


def test_a_client_that_reads_slowly_gets_every_token_in_order(ws: ClientConnection, marker: str) -> None:
    say(ws, type="chat", **chat_body(f"[[tokens: 2000]] [[rate: 0]] [[piece: 1]] {marker}"))
    frames = [hear(ws)]
    threading.Event().wait(1.0)  # everything has been sent by then
    while frames[-1]["type"] != "done":
        frames.append(hear(ws))
    numbers = [frame["sequence_number"] for frame in frames[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_idle_socket_stays_open(ws: ClientConnection, marker: str) -> None:
    threading.Event().wait(8.0)  # longer than any client library's default socket timeout of 5 s
    say(ws, type="chat", **chat_body(f"[[say: Still here.]] {marker}"))
    assert until(ws, "done", "error")[-1]["result"] == "Still here."
