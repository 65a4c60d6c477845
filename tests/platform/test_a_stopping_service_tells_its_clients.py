"""One service with clients of every kind is told to stop; each of them hears what helps it most."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.platform.conftest import Serve, client, key_of, serving, started
from tests.support.databases import Migrated
from tests.support.http import Answer, Http, Stream, chat_body
from tests.support.processes import Program
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Told:
    """What each client was told, and what became of the program."""

    program: Program
    socket_code: int | None
    followed: list[str]
    """The lines that a follower of a running job still got."""
    job_went_on: bool
    refused: Answer
    streamed: list[str]
    blocking: Answer


def stop(program: Program) -> None:
    program.signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, migrated: Migrated) -> Iterator[Told]:
    """Starts the service and all clients, stops it while they wait, and reads what they get."""
    with serving(tmp_path_factory.mktemp("stopping"), migrated) as serve, ThreadPoolExecutor() as threads:
        program = serve("--demo", CLAUDE_SLOTS="4", DRAIN_SECONDS="60")
        started(program, ready=True)
        http = client(program, key_of(program))
        with ExitStack() as opened:
            socket = opened.enter_context(
                connect(
                    f"{http.url}/v1/stream".replace("http", "ws", 1),
                    additional_headers={"Authorization": f"Bearer {key_of(program)}"},
                )
            )
            _, lines = _begun(opened, http.chat_stream("[[tokens: 150]] [[rate: 20]]"))
            watched, _ = _begun(opened, http.chat_stream("[[tokens: 1000]] [[rate: 20]]"))
            path = f"/v1/jobs/{watched.headers['x-job-id']}/events"
            _, following = _begun(opened, http.stream("GET", path, headers={"accept": "text/event-stream"}))
            chat = threads.submit(http.chat, "[[first: 5]] [[say: worth the wait]]")
            eventually(lambda: _running(http) == 3, message="not all of them ran")
            stop(program)
            eventually(lambda: http.get("/ready").status == 503, message="/ready still says yes")
            refused = http.chat("Say hello.")
            code = _close_code(socket)
            followed = list(following)
            went_on = not watched._response.isclosed()
            watched.close()
            yield Told(program, code, followed, went_on, refused, [line for line in lines if line], chat.result(60))


def _begun(opened: ExitStack, stream: Stream) -> tuple[Stream, Iterator[str]]:
    opened.enter_context(stream)
    lines = stream.lines()
    assert next(lines)
    return stream, lines


def _running(http: Http) -> int:
    return len(http.get("/v1/jobs?status=in_progress").json()["data"])


def _close_code(socket: ClientConnection) -> int | None:
    try:
        socket.recv(timeout=30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    return None


def test_an_open_websocket_is_closed_as_restarting(told: Told) -> None:
    assert told.socket_code == 1012


def test_nothing_new_comes_in(told: Told) -> None:
    assert (told.refused.status, told.refused.headers["retry-after"]) == (503, "2")
    assert told.refused.json()["error"]["code"] == "service_restarting"


def test_a_running_chat_gets_its_whole_answer(told: Told) -> None:
    assert told.blocking.json()["choices"][0]["message"]["content"] == "worth the wait"


def test_a_running_stream_comes_to_its_end(told: Told) -> None:
    assert told.streamed[-1] == "data: [DONE]"


def test_an_event_stream_ends_at_once_so_that_its_client_resumes(told: Told) -> None:
    assert not any('"done"' in line for line in told.followed)
    assert told.job_went_on


def test_it_ends_when_all_have_what_they_came_for(told: Told) -> None:
    eventually(lambda: told.program.exit_status == 0, seconds=60, message="it did not stop")


def test_a_job_that_outlasts_the_drain_is_ended_as_an_error(serve: Serve) -> None:
    program = serve("--demo", DRAIN_SECONDS="1")
    started(program, ready=True)
    http = client(program, key_of(program))
    with http.stream("POST", "/v1/chat/completions", chat_body("[[hang: 3]]", stream=True)) as stream:
        lines = stream.lines()
        assert next(lines).startswith("data: ")
        stop(program)
        rest = [line for line in lines if line]
        assert any('"error"' in line for line in rest), rest
    eventually(lambda: program.exit_status == 0, seconds=60, message="it did not stop")
