"""The whole service, the real CLI, and a SIGKILL in the middle of a batch."""

import signal
from typing import Any

from tests.support.scripted import ScriptedServer
from tests.support.service import Service, ServiceFactory
from tests.support.waiting import eventually

ITEMS = 40


def _kill_worker(service: Service) -> None:
    clis = service.find("--input-format", "stream-json")
    workers = {parent for cli in clis for parent in cli.parents() if "run_workers" in " ".join(parent.cmdline())}
    above = {parent for worker in workers for parent in worker.parents()}
    assert workers - above
    for innermost in workers - above:
        innermost.send_signal(signal.SIGKILL)


def test_a_batch_goes_on_after_its_worker_was_killed_and_no_item_is_asked_twice(
    new_service: ServiceFactory, scripted_model: ScriptedServer, marker: str
) -> None:
    service = new_service(WORKERS="1", CLAUDE_SLOTS="4")
    service.manage("set_budget", service.alice.project, "--usd", "50", "--period", "day")
    http = service.alice.http
    prompts = [f"[[say: answer {number}]] [[first: 0.3]] {marker}-{number}-" for number in range(ITEMS)]
    begun = http.post("/v1/batch", {"model": "haiku", "prompts": prompts}, prefer="respond-async").json()

    def look() -> Any:
        return http.get(f"/v1/batch/{begun['id']}").json()

    eventually(lambda: look()["counts"]["completed"] >= 5, seconds=60, message="the batch did not begin")
    _kill_worker(service)
    done = eventually(lambda: (found := look())["finished_at"] and found, seconds=90, message="it did not end")

    results = done["results"]
    assert [each["index"] for each in results] == list(range(ITEMS))
    lost = [each for each in results if each["status"] != "completed"]
    assert {each["error"]["code"] for each in lost} <= {"worker_lost"}
    assert len(lost) < 4
    assert all(each["result"] == f"answer {each['index']}" for each in results if each["status"] == "completed")
    asked = [len(scripted_model.log.containing(f"{marker}-{number}-")) for number in range(ITEMS)]
    assert max(asked) == 1
    body = {"model": "haiku", "messages": [{"role": "user", "content": "x"}]}
    [usd] = [budget["usd"] for budget in http.post("/v1/explain", body).json()["budgets"]]
    assert usd["reserved"] == 0
    service.manage("ledger_verify")  # fails if anything differs
