"""`POST /v1/ws-tickets`: what browsers open `/v1/stream` with."""

from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.api.test_streaming_over_a_socket import close_code, hear, say, until, url_of
from tests.support.http import chat_body
from tests.support.service import Person, Service


def ticket_of(person: Person) -> str:
    answer = person.http.post("/v1/ws-tickets", {})
    made: dict[str, Any] = answer.json()
    assert (answer.status, made["object"], made["expires_in"]) == (201, "ws_ticket", 30)
    return str(made["ticket"])


def opened(service: Service, ticket: str) -> ClientConnection:
    return connect(url_of(service), subprotocols=[Subprotocol("ccs.v1"), Subprotocol(f"ticket.{ticket}")])


def test_a_ticket_stands_for_its_key(service: Service, alice: Person, charlie: Person, marker: str) -> None:
    with opened(service, ticket_of(alice)) as ws:
        assert ws.subprotocol == "ccs.v1"
        say(ws, type="chat", **chat_body(f"{marker} hello"))
        done = until(ws, "done", "error")[-1]
    assert done["type"] == "done"
    assert alice.http.get(f"/v1/jobs/{done['job_id']}").status == 200
    assert charlie.http.get(f"/v1/jobs/{done['job_id']}").status == 404


def test_a_ticket_opens_one_socket_only(service: Service, alice: Person) -> None:
    ticket = ticket_of(alice)
    with opened(service, ticket) as ws:
        assert ws.subprotocol == "ccs.v1"
    with opened(service, ticket) as ws:
        assert hear(ws)["code"] == "invalid_ticket"
        assert close_code(ws) == 4401


def test_a_made_up_ticket_opens_nothing(service: Service) -> None:
    with opened(service, "made-up") as ws:
        assert hear(ws)["code"] == "invalid_ticket"
        assert close_code(ws) == 4401


def test_a_ticket_takes_a_key(service: Service) -> None:
    assert service.http().post("/v1/ws-tickets", {}).status == 401
