"""The whole service, the real CLI, and a SIGKILL in the middle of a batch: of web process, worker, or both."""

import http.client
import signal
from typing import Any

import psutil

from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service, ServiceFactory
from tests.support.waiting import eventually

ITEMS, SLOTS = 24, 4


def _web(service: Service) -> set[psutil.Process]:
    found = service.find("manage.py", "run_web")
    assert found
    return set(found)


def _worker(service: Service) -> set[psutil.Process]:
    clis = service.find("--input-format", "stream-json")
    workers = {parent for cli in clis for parent in cli.parents() if "run_workers" in " ".join(parent.cmdline())}
    innermost = workers - {parent for worker in workers for parent in worker.parents()}
    assert innermost
    return innermost


def _look(person: Person, batch_id: str) -> Any:
    """The batch; a web process that is dead or not back yet is asked again."""
    try:
        return person.http.get(f"/v1/batch/{batch_id}").json()
    except (OSError, http.client.HTTPException) as error:
        raise AssertionError(f"nobody answers: {error}") from None


def test_whatever_dies_no_item_is_asked_twice_and_each_is_in_its_place(
    new_service: ServiceFactory, scripted_model: ScriptedServer, marker: str
) -> None:
    service = new_service(WORKERS="1", CLAUDE_SLOTS=str(SLOTS))
    service.manage("set_budget", service.alice.project, "--usd", "50", "--period", "day")
    for number, victims in enumerate(((_web,), (_worker,), (_web, _worker))):
        lost = _survives(service, scripted_model, f"{marker}-{number}", victims)
        assert len(lost) <= (SLOTS if _worker in victims else 0)
    body = {"model": "haiku", "messages": [{"role": "user", "content": "x"}]}
    [usd] = [budget["usd"] for budget in service.alice.http.post("/v1/explain", body).json()["budgets"]]
    assert usd["reserved"] == 0
    service.manage("ledger_verify")  # to the micro-dollar: fails if anything differs


def _survives(service: Service, scripted_model: ScriptedServer, marker: str, victims: Any) -> list[Any]:
    """The items that were lost of a batch in whose middle all victims are killed."""
    alice = service.alice
    prompts = [f"[[say: answer {number}]] [[first: 0.3]] {marker}-{number}-" for number in range(ITEMS)]
    begun = alice.http.post("/v1/batch", {"model": "haiku", "prompts": prompts}, prefer="respond-async").json()
    eventually(
        lambda: _look(alice, begun["id"])["counts"]["completed"] >= 5, seconds=60, message="the batch did not begin"
    )
    killed = {process for find in victims for process in find(service)}
    for process in killed:
        process.send_signal(signal.SIGKILL)
    done = eventually(
        lambda: (found := _look(alice, begun["id"]))["finished_at"] and found, seconds=90, message="it did not end"
    )
    assert not any(process.is_running() for process in killed)
    results = done["results"]
    assert [each["index"] for each in results] == list(range(ITEMS))
    lost = [each for each in results if each["status"] != "completed"]
    assert {each["error"]["code"] for each in lost} <= {"worker_lost"}
    assert all(each["result"] == f"answer {each['index']}" for each in results if each["status"] == "completed")
    asked = [len(scripted_model.log.containing(f"{marker}-{number}-")) for number in range(ITEMS)]
    assert max(asked) == 1
    return lost
