"""The whole service, the real CLI, and a SIGKILL at the worst moment."""

import contextlib
import json
import signal
from typing import Any

import psutil
import pytest

from tests.support.http import ServerEvent, Stream
from tests.support.processes import assert_gone
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service, ServiceFactory
from tests.support.waiting import eventually

LONG = "[[tokens: 400]] [[rate: 50]]"


@pytest.fixture(scope="module")
def battered(start_service: ServiceFactory) -> Service:
    """A service whose parts are killed here, one after the other; it has to come back each time."""
    return start_service(WORKERS="1")


def _texts(events: list[ServerEvent]) -> str:
    chunks = [event.json() for event in events if event.data != "[DONE]"]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk.get("choices"))


def _begun(stream: Stream) -> list[ServerEvent]:
    """Read until the answer has really begun."""
    events: list[ServerEvent] = []
    for event in stream.events():
        events.append(event)
        if len(_texts(events)) > 150:  # most of a second, so that a checkpoint has been taken
            return events
    raise AssertionError(f"the stream ended early: {events}")


def _closed(person: Person, job_id: str, *, seconds: float = 30) -> dict[str, Any]:
    def closed() -> dict[str, Any] | None:
        job: dict[str, Any] = person.http.get(f"/v1/jobs/{job_id}").json()
        return job if job["status"] not in ("queued", "in_progress") else None

    return eventually(closed, seconds=seconds, message=f"{job_id} never ended")


def test_a_killed_cli_ends_its_job_and_nothing_else(battered: Service, marker: str) -> None:
    service = battered
    with service.alice.http.chat_stream(f"{LONG} {marker}") as stream:
        _begun(stream)
        clis = service.find("--input-format", "stream-json")
        for cli in clis:
            with contextlib.suppress(psutil.NoSuchProcess):  # a jail's first process takes the others with it
                cli.send_signal(signal.SIGKILL)
        rest = list(stream.events())
    assert clis
    assert "error" in json.dumps([event.data for event in rest])
    job = _closed(service.alice, stream.headers["x-job-id"])
    assert (job["status"], job["error"]["code"]) == ("failed", "cli_error")
    assert job["estimated"]
    assert job["cost_usd"] > 0
    assert service.alice.http.chat("and now?").status == 200


def test_a_killed_worker_loses_no_bill_and_leaves_no_process(
    battered: Service, scripted_model: ScriptedServer, marker: str
) -> None:
    service = battered
    with service.alice.http.chat_stream(f"{LONG} {marker}") as stream:
        _begun(stream)
        clis = service.find("--input-format", "stream-json")
        workers = {parent for cli in clis for parent in cli.parents() if "run_workers" in " ".join(parent.cmdline())}
        assert clis
        assert workers
        above = {parent for worker in workers for parent in worker.parents()}
        for innermost in workers - above:
            innermost.send_signal(signal.SIGKILL)
        assert_gone(clis, seconds=2)
        rest = list(stream.events())
    assert "worker_lost" in json.dumps([event.data for event in rest])
    job = _closed(service.alice, stream.headers["x-job-id"])
    assert (job["status"], job["error"]["code"]) == ("failed", "worker_lost")
    assert job["cost_usd"] > 0
    assert job["usage"]["output_tokens"] > 0
    assert len(scripted_model.log.containing(marker)) == 1, "nothing was asked twice"
    answer = eventually(lambda: _answered(service), seconds=60)
    assert answer


def test_a_restarted_valkey_loses_no_token(battered: Service) -> None:
    service = battered
    with service.alice.http.chat_stream("[[tokens: 150]] [[rate: 50]] hello") as stream:
        events = _begun(stream)
        (valkey,) = [process for process in service.processes() if "valkey-server" in process.name()]
        valkey.send_signal(signal.SIGKILL)
        events += list(stream.events())
    assert events[-1].data == "[DONE]"
    words = _texts(events).rstrip(".").split()
    assert words == [f"{n:03d}" if n < 10 else word for n, word in enumerate(words)], "in order"
    assert len(words) == len(set(words)) == 150
    job = _closed(service.alice, stream.headers["x-job-id"])
    assert (job["status"], job["usage"]["output_tokens"]) == ("completed", 150)


def test_a_valkey_that_hangs_is_a_503_in_the_api_s_shape(battered: Service) -> None:
    battered.wait_until_ready()
    [valkey] = battered.find("valkey.sock")
    valkey.suspend()
    try:
        answer = battered.http().get("/ready")
        assert answer.status == 503
        assert answer.json()["error"]["code"] == "not_ready"
        assert answer.json()["reasons"] == ["Valkey cannot be reached"]
    finally:
        valkey.resume()
    battered.wait_until_ready()


def test_a_client_that_leaves_ends_its_chat_after_a_short_grace(
    service: Service, scripted_model: ScriptedServer, marker: str
) -> None:
    with service.alice.http.chat_stream(f"[[tokens: 3000]] [[rate: 50]] {marker}") as stream:
        _begun(stream)
        job_id = stream.headers["x-job-id"]
    job = _closed(service.alice, job_id)
    assert (job["status"], job["error"]["code"]) == ("cancelled", "cancelled")
    assert 0 < job["usage"]["output_tokens"] < 3000
    entry = scripted_model.log.one(marker)
    assert entry["disconnected"], "the upstream was told"


def test_a_follower_that_comes_back_misses_nothing(service: Service) -> None:
    http = service.alice.http
    with http.chat_stream("[[tokens: 100]] [[rate: 50]] hello") as stream:
        job_id = stream.headers["x-job-id"]
        seen: list[ServerEvent] = []
        while not seen or seen[-1].event not in ("done", "error"):
            after = seen[-1].id if seen else "0"
            accept = {"accept": "text/event-stream"}
            with http.stream("GET", f"/v1/jobs/{job_id}/events?starting_after={after}", headers=accept) as following:
                for count, event in enumerate(following.events(), 1):
                    seen.append(event)
                    if count == 7:
                        break
        assert stream.read()
    assert [int(event.id) for event in seen] == list(range(1, len(seen) + 1))
    replay = http.get(f"/v1/jobs/{job_id}/events", accept="application/json").json()
    assert [event["sequence_number"] for event in replay["data"]] == [int(event.id) for event in seen]


def test_a_cancelled_job_ends_once_and_is_billed_for_what_was_said(service: Service) -> None:
    with service.alice.http.chat_stream(f"{LONG} hello") as stream:
        _begun(stream)
        job_id = stream.headers["x-job-id"]
        assert service.bob.http.post(f"/v1/jobs/{job_id}/cancel").status == 200
        assert "cancelled" in json.dumps([event.data for event in stream.events()])
    job = _closed(service.alice, job_id)
    assert job["status"] == "cancelled"
    assert job["cost_usd"] > 0
    assert service.bob.http.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"


def test_timeouts_end_a_job_with_their_code(new_service: ServiceFactory) -> None:
    service = new_service(JOB_IDLE_SECONDS="3", JOB_TIMEOUT_SECONDS="6")
    assert service.alice.http.chat("[[hang: 2]] hello").json()["error"]["code"] == "timeout"
    answer = service.alice.http.chat("[[tokens: 500]] [[rate: 20]] hello")
    assert (answer.status, answer.json()["error"]["code"]) == (504, "timeout")
    assert answer.headers["x-should-retry"] == "false"
    (slow, idle) = service.alice.http.get("/v1/jobs").json()["data"]
    assert [job["error"]["code"] for job in (slow, idle)] == ["timeout", "timeout"]
    assert slow["cost_usd"] > 0


def _answered(service: Service) -> bool:
    return service.alice.http.chat("still there?").status == 200
