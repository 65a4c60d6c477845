"""A moment after `revoke_key`, nothing of that key is left."""

import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.http import chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service
from tests.support.waiting import eventually

ENDLESS = "[[tokens: 4000]] [[rate: 20]]"
WITHIN_SECONDS = 10.0
"""It takes a second at most; a busy machine takes longer for the questions that find out. Without it, a minute."""


def revoke(service: Service, person: Person) -> float:
    """The moment the key was surely revoked."""
    service.manage("revoke_key", person.key_id)
    return time.monotonic()


def is_refused(person: Person) -> bool:
    return person.http.get("/v1/models").status == 401


def test_a_revoked_key_is_refused_in_a_moment(service: Service) -> None:
    [eve] = service.people(("eve", "atlas"))
    assert not is_refused(eve)
    began = revoke(service, eve)
    eventually(lambda: is_refused(eve), seconds=WITHIN_SECONDS)
    assert time.monotonic() - began < WITHIN_SECONDS


def test_an_open_socket_of_a_revoked_key_ends_in_a_moment(service: Service) -> None:
    [eve] = service.people(("eve", "atlas"))
    url = service.url.replace("http", "ws") + "/v1/stream"
    with connect(url, additional_headers={"authorization": f"Bearer {eve.key}"}) as ws:
        ws.ping().wait(60)
        revoke(service, eve)
        assert json.loads(ws.recv(timeout=WITHIN_SECONDS))["code"] == "invalid_api_key"
        code = None
        try:
            ws.recv(timeout=60)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
        assert code == 4401


def test_a_revoked_key_s_job_is_cancelled_and_its_stream_ends(
    service: Service, alice: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    [eve] = service.people(("eve", "atlas"))
    with eve.http.chat_stream(f"{ENDLESS} {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
        revoke(service, eve)
        assert json.loads(list(stream.events())[-2].data)["error"]["code"] == "cancelled"
    assert alice.http.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
    eventually(lambda: scripted_model.log.containing(marker)[0]["finished"])


def test_a_revoked_key_follows_nothing_any_more(service: Service, alice: Person, marker: str) -> None:
    [eve] = service.people(("eve", "atlas"))
    with alice.http.stream(
        "POST", "/v1/chat/completions", {**chat_body(f"{ENDLESS} {marker}"), "stream": True}
    ) as hers:
        job_id = hers.headers["x-job-id"]
        with eve.http.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
            began = revoke(service, eve)
            last = list(stream.events())[-1]
        assert time.monotonic() - began < WITHIN_SECONDS
        assert last.json()["code"] == "invalid_api_key"
        assert alice.http.get(f"/v1/jobs/{job_id}").json()["status"] == "in_progress"
