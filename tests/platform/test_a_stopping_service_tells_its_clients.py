import asyncio
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import websockets

from tests.platform.conftest import Serve, client, key_of, started
from tests.support.http import Http, chat_body
from tests.support.processes import Program
from tests.support.waiting import eventually


@pytest.fixture
def program(serve: Serve) -> Program:
    running = serve("--demo", DRAIN_SECONDS="10")
    started(running, ready=True)
    return running


@pytest.fixture
def http(program: Program) -> Http:
    return client(program, key_of(program))


def stream_url(program: Program) -> str:
    found = re.search(r"serving\s+http(://\S+?/v1)", program.output)
    assert found
    return f"ws{found[1]}/stream"


def stop(program: Program) -> None:
    program.signal(signal.SIGTERM)


async def test_an_open_websocket_is_closed_as_restarting(program: Program, http: Http) -> None:
    headers = {"Authorization": f"Bearer {key_of(program)}"}
    async with websockets.connect(stream_url(program), additional_headers=headers) as socket:
        stop(program)
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1012


def test_a_running_chat_gets_its_whole_answer_while_nothing_new_comes_in(program: Program, http: Http) -> None:
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(http.chat, "[[first: 2]] [[say: worth the wait]]")
        eventually(lambda: http.get("/v1/jobs?status=in_progress").json()["data"], message="it never ran")
        stop(program)
        eventually(lambda: http.get("/ready").status == 503, message="/ready still says yes")
        refused = http.chat("Say hello.")
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["error"]["code"] == "service_restarting"
        assert answer.result(20).json()["choices"][0]["message"]["content"] == "worth the wait"
    eventually(lambda: program.exit_status == 0, seconds=10, message="it did not stop")


def test_a_running_stream_comes_to_its_end(program: Program, http: Http) -> None:
    with http.chat_stream("[[tokens: 60]] [[rate: 30]]") as stream:
        lines = stream.lines()
        assert next(lines).startswith("data: ")
        stop(program)
        assert [line for line in lines if line][-1] == "data: [DONE]"


def test_an_event_stream_ends_at_once_so_that_its_client_resumes(program: Program, http: Http) -> None:
    with http.chat_stream("[[tokens: 200]] [[rate: 30]]") as chat:
        assert next(chat.lines())
        job_id = chat.headers["x-job-id"]
        with http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"accept": "text/event-stream"}) as events:
            lines = events.lines()
            assert next(lines)
            stop(program)
            rest = list(lines)
        assert not any('"done"' in line for line in rest)
        assert not chat._response.isclosed(), "the chat itself goes on"


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
    eventually(lambda: program.exit_status == 0, seconds=20, message="it did not stop")
