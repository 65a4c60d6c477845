"""The whole service, the real CLI, a SIGKILL while a task works, and a receiver of webhooks that is really called."""

import base64
import hmac
import json
import signal
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.api.tasking import call, person, run
from tests.support.processes import assert_gone
from tests.support.receiver import HttpsReceiver, Taken
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service, ServiceFactory
from tests.support.waiting import eventually

DAEMON = "setsid nohup sleep 987654 >/dev/null 2>&1 & (trap '' TERM; exec sleep 987655) & echo started"
SSE = {"accept": "text/event-stream"}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsReceiver]:
    with HttpsReceiver(tmp_path_factory.mktemp("receiver")).listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def lonely(start_service: ServiceFactory, receiver: HttpsReceiver) -> Service:
    """A service with one worker, which may post to this machine and believes the receiver's certificate."""
    return start_service(
        WORKERS="1", DRAIN_SECONDS="1", WEBHOOK_HOSTS="localhost", SSL_CERT_FILE=str(receiver.certificate)
    )


@pytest.fixture(scope="module")
def erin(lonely: Service) -> Person:
    return person(lonely, "lonely")


def verified(taken: Taken, secret: str) -> dict[str, Any]:
    """What a receiver does with a message, as docs/tasks.md tells it to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{taken.headers['webhook-id']}.{taken.headers['webhook-timestamp']}.".encode() + taken.body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
    assert hmac.compare_digest(taken.headers["webhook-signature"], expected)
    told: dict[str, Any] = json.loads(taken.body)
    return told


def messages(receiver: HttpsReceiver, erin: Person, job_id: str) -> list[dict[str, Any]]:
    """What was taken of a job, every signature checked."""
    secret = erin.http.get("/v1/webhooks/secret").json()["secret"]
    told = [verified(taken, secret) for taken in list(receiver.taken)]
    return [message for message in told if message["data"]["id"] == job_id]


def test_the_end_of_a_task_arrives_signed_and_again_when_it_was_not_taken(
    erin: Person, receiver: HttpsReceiver, marker: str
) -> None:
    receiver.statuses = [500]
    job = run(erin.http, f"[[say: done]] {marker}", webhook_url=receiver.url)
    eventually(lambda: len(messages(receiver, erin, job["id"])) == 1)

    assert erin.http.post(f"/v1/jobs/{job['id']}/redeliver").status == 202

    eventually(lambda: len(messages(receiver, erin, job["id"])) == 2)
    first, second = messages(receiver, erin, job["id"])
    assert first == second
    assert (first["type"], first["data"]["result"], first["data"]["cost_usd"]) == (
        "job.completed",
        "done",
        job["cost_usd"],
    )
    assert len({taken.headers["webhook-id"] for taken in receiver.taken}) == 1


def test_a_killed_worker_ends_its_task_once_billed_and_nothing_of_it_lives(
    lonely: Service, erin: Person, receiver: HttpsReceiver, marker: str, scripted_model: ScriptedServer
) -> None:
    body = {
        "description": f"{call('Bash', command=DAEMON)} [[tokens: 2000]] [[rate: 50]] {marker}",
        "allow_tools": ["Bash"],
        "webhook_url": receiver.url,
    }
    job_id = erin.http.post("/v1/task", body, prefer="respond-async").json()["id"]
    with erin.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=SSE) as stream:
        events = stream.events()
        said = ""
        while len(said) < 150:  # most of a second, so that a checkpoint has been taken
            event = next(events)
            said += event.json()["content"] if event.event == "token" else ""
        clis = lonely.find("--input-format", "stream-json")
        sleepers = lonely.find("sleep", "98765")
        workers = {parent for cli in clis for parent in cli.parents() if "run_workers" in " ".join(parent.cmdline())}
        for innermost in workers - {above for worker in workers for above in worker.parents()}:
            innermost.send_signal(signal.SIGKILL)
        assert_gone([*clis, *sleepers], seconds=2)
        *_, last = events

    assert clis
    assert len(sleepers) == 2
    assert (last.event, last.json()["code"]) == ("error", "worker_lost")
    job = erin.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["error"]["code"], job["estimated"]) == ("failed", "worker_lost", True)
    assert len(scripted_model.log.containing(marker)) == 2, "nothing was asked twice"
    assert 0 < job["usage"]["output_tokens"] < 2000
    assert job["cost_usd"] > 0
    recorded = [json.loads(line) for line in lonely.manage("audit_export").splitlines() if job_id in line]
    assert [each["outcome"] for each in recorded if each["action"] == "job.closed"] == ["worker_lost"]
    lonely.manage("ledger_verify")
    eventually(lambda: messages(receiver, erin, job_id))
    assert [message["type"] for message in messages(receiver, erin, job_id)] == ["job.failed"]
    assert eventually(lambda: run(erin.http, f"[[say: still there]] {marker}"))["result"] == "still there"


def test_a_service_that_is_stopped_in_the_midst_of_tasks_and_chats_ends_in_order(
    lonely: Service, erin: Person, marker: str
) -> None:
    body = {"description": f"{call('Bash', command=DAEMON)} [[tokens: 2000]] [[rate: 50]] {marker}"}
    job_id = erin.http.post("/v1/task", {**body, "allow_tools": ["Bash"]}, prefer="respond-async").json()["id"]
    with (
        erin.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=SSE) as task,
        erin.http.chat_stream(f"[[tokens: 2000]] [[rate: 50]] {marker}") as chat,
    ):
        for stream in (task, chat):
            assert next(stream.events())
        assert lonely.stop() == 0
    for word in ("Task was destroyed", "Traceback", "never retrieved"):
        assert word not in lonely.output.split(job_id)[-1], lonely.program.tail()
