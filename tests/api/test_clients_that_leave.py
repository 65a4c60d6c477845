"""Nobody pays for an answer that nobody waits for; but somebody else who follows it keeps it."""

import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from tests.support.http import chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service
from tests.support.waiting import eventually

ENDLESS = "[[tokens: 4000]] [[rate: 20]]"
GRACE_AND_A_BIT = 60.0
"""Much less than the answer would take."""


def job_of(person: Person, scripted: ScriptedServer, marker: str) -> str:
    """The newest job, once the upstream has seen its prompt."""
    eventually(lambda: scripted.log.containing(marker), seconds=60)
    newest = person.http.get("/v1/jobs?limit=1").json()["data"][0]
    return str(newest["id"])


def status(person: Person, job_id: str) -> Any:
    return person.http.get(f"/v1/jobs/{job_id}").json()["status"]


def is_cancelled(person: Person, job_id: str) -> bool:
    return bool(status(person, job_id) == "cancelled")


def test_a_stream_that_is_left_ends_its_job(alice: Person, scripted_model: ScriptedServer, marker: str) -> None:
    with alice.http.chat_stream(f"{ENDLESS} {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
    eventually(lambda: is_cancelled(alice, job_id), seconds=GRACE_AND_A_BIT)
    eventually(lambda: scripted_model.log.containing(marker)[0]["finished"])


def test_a_blocking_request_that_is_left_ends_its_job(
    service: Service, alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    body = json.dumps(chat_body(f"{ENDLESS} {marker}")).encode()
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {alice.key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        job_id = job_of(alice, scripted_model, marker)
    eventually(lambda: is_cancelled(alice, job_id), seconds=GRACE_AND_A_BIT)


def test_a_socket_that_is_left_ends_the_chats_it_began(
    service: Service, alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    url = service.url.replace("http", "ws") + "/v1/stream"
    with connect(url, additional_headers={"authorization": f"Bearer {alice.key}"}) as ws:
        ws.send(json.dumps({"type": "chat", **chat_body(f"{ENDLESS} {marker}")}))
        job_id = json.loads(ws.recv(timeout=60))["job_id"]
        eventually(lambda: scripted_model.log.containing(marker), seconds=60)
    eventually(lambda: is_cancelled(alice, job_id), seconds=GRACE_AND_A_BIT)


def test_a_job_that_somebody_else_follows_goes_on(alice: Person, bob: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 100]] [[rate: 20]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        following = bob.http.stream("GET", f"/v1/jobs/{job_id}/events")
        next(stream.events())
    with following:
        last = list(following.events())[-1]
    assert last.event == "done"
    assert status(alice, job_id) == "completed"


def test_a_client_that_comes_back_within_the_grace_misses_nothing(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 100]] [[rate: 20]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
    with alice.http.stream("GET", f"/v1/jobs/{job_id}/events") as again:
        events = list(again.events())
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1))
    assert events[-1].event == "done"


def test_leaving_after_the_end_changes_nothing(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[say: Done.]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        list(stream.events())
    assert status(alice, job_id) == "completed"


@pytest.mark.parametrize("count", [12])
def test_many_clients_that_leave_at_once_leave_nothing_behind(
    service: Service, alice: Person, scripted_model: ScriptedServer, marker: str, count: int
) -> None:
    left: list[str] = []

    def come_and_go() -> None:
        with alice.http.chat_stream(f"{ENDLESS} {marker}") as stream:
            left.append(stream.headers["x-job-id"])

    visitors = [threading.Thread(target=come_and_go) for _ in range(count)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    eventually(lambda: all(is_cancelled(alice, job_id) for job_id in left), seconds=60)
    eventually(lambda: service.http().get("/ready").json()["checks"]["workers"]["running"] == 0, seconds=60)
