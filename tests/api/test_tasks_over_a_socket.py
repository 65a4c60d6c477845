"""Tasks over `WS /v1/stream`, with live events of their tools."""

from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.api.tasking import call, person
from tests.api.test_streaming_over_a_socket import hear, say, until, url_of, with_key
from tests.support.service import Person, Service


@pytest.fixture(scope="module")
def erin(service: Service) -> Person:
    """Has a key of the enterprise profile, in a project of her own."""
    return person(service, "sockets")


@pytest.fixture
def ws(service: Service, erin: Person) -> Iterator[ClientConnection]:
    with connect(url_of(service), additional_headers=with_key(erin)) as connection:
        yield connection


def test_a_task_is_followed_tool_by_tool(ws: ClientConnection, marker: str) -> None:
    description = f"{call('Bash', command='echo hello')} [[say: all done]] {marker}"
    say(ws, type="task", id="t1", description=description, allow_tools=["Bash"])

    queued, *frames = until(ws, "done")

    assert queued["type"] == "queued"
    assert {frame["id"] for frame in (queued, *frames)} == {"t1"}
    kinds = [frame["type"] for frame in frames if frame["type"] not in ("token", "thinking")]
    assert kinds == ["started", "tool_use", "tool_result", "done"]
    used = next(frame for frame in frames if frame["type"] == "tool_use")
    result = next(frame for frame in frames if frame["type"] == "tool_result")
    assert (used["name"], used["input"]["command"]) == ("Bash", "echo hello")
    assert (result["tool_use_id"], result["content"].strip()) == (used["tool_use_id"], "hello")
    assert (frames[-1]["result"], frames[-1]["tools_used"]) == ("all done", ["Bash"])


def test_a_task_goes_on_when_its_socket_closes(service: Service, erin: Person, marker: str) -> None:
    with connect(url_of(service), additional_headers=with_key(erin)) as ws:
        say(ws, type="task", description=f"[[delay: 3]] [[say: still here]] {marker}")
        job_id = hear(ws)["job_id"]

    with connect(url_of(service), additional_headers=with_key(erin)) as ws:
        say(ws, type="follow", job_id=job_id)
        assert until(ws, "done", "error")[-1]["result"] == "still here"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "task"}, "invalid_value"),
        ({"type": "task", "description": "x", "allow_tools": ["Nothing"]}, "unknown_name"),
        ({"type": "approve", "job_id": "job_1", "tool_use_id": "c", "decision": "perhaps"}, "invalid_value"),
        ({"type": "approve", "job_id": "job_1", "tool_use_id": "c", "decision": "once"}, "not_found"),
        ({"type": "approve", "job_id": "job_1"}, "invalid_type"),
    ],
)
def test_what_cannot_be_done_is_an_error_frame(ws: ClientConnection, frame: dict[str, object], code: str) -> None:
    say(ws, id=7, **frame)
    error = hear(ws)
    assert (error["type"], error["code"], error["id"]) == ("error", code, 7)
