from typing import Any

import pytest

from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service
from tests.support.waiting import eventually


def batch(person: Person, *prompts: Any, later: bool = False, **body: Any) -> Any:
    headers = {"prefer": "respond-async"} if later else {}
    return person.http.post("/v1/batch", {"model": "haiku", "prompts": list(prompts), **body}, **headers)


def ended(person: Person, batch_id: str) -> Any:
    def look() -> Any:
        found = person.http.get(f"/v1/batch/{batch_id}").json()
        return found if found["finished_at"] else None

    return eventually(look, seconds=60, message="the batch did not end")


def test_prompts_conversations_and_tasks_are_answered_in_their_order(alice: Person, marker: str) -> None:
    """With items that cannot be read, may not be asked, and fail: each in its place with its own end."""
    answer = batch(
        alice,
        f"[[say: one]] {marker}",
        {"messages": [{"role": "user", "content": f"[[say: two]] {marker}"}], "custom_id": "second", "max_tokens": 50},
        {"description": f"[[say: three]] {marker}", "allow_tools": []},
        {"prompt": f"[[say: four]] {marker}", "model": "opus"},
        {"prompt": f"[[fail: 500]] {marker}"},
        {"messages": []},
        7,
        {"prompt": f"[[say: eight]] {marker}", "model": "sonnet", "system": "Be brief."},
        {"description": "x", "allow_tools": ["NoSuchTool"]},
    )
    assert answer.status == 200, answer.body
    told = answer.json()
    assert (told["object"], told["status"], told["progress"]) == ("batch", "completed", 1.0)
    assert told["counts"] == {"total": 9, "completed": 4, "failed": 5, "open": 0}
    results = told["results"]
    assert [each["index"] for each in results] == list(range(9))
    assert [each["result"] for each in results if each["status"] == "completed"] == ["one", "two", "three", "eight"]
    assert [each["kind"] for each in results[:3]] == ["chat", "chat", "task"]
    assert results[1]["custom_id"] == "second"
    assert results[7]["model"] == "claude-sonnet-5-5"
    codes = {each["index"]: each["error"]["code"] for each in results if each["error"]}
    assert codes == {
        3: "model_not_allowed",
        4: "upstream_error",
        5: "invalid_value",
        6: "invalid_type",
        8: "unknown_name",
    }
    assert results[5]["error"]["param"] == "prompts[5].messages"
    assert sum(each.get("cost_usd", 0) for each in results) == pytest.approx(told["cost_usd"]) != 0


def test_every_kind_of_item_and_every_kind_of_end_in_one_batch(service: Service, marker: str) -> None:
    """Answered, refused, failed, out of time, past its own cost, past the budget: each in its place."""
    [emma] = service.people(("emma", f"p-{marker[5:13]}"))
    service.manage("set_budget", emma.project, "--usd", "0.04", "--period", "total")
    small = {"max_tokens": 50}
    task = {"allow_tools": [], "max_cost": 0.002}
    told = batch(
        emma,
        {"prompt": f"[[tokens: 3000]] {marker}", "model": "sonnet", "max_tokens": 3000},  # 3 of the budget's 4 cents
        {"prompt": f"[[say: prompt]] {marker}", **small},
        {"messages": [{"role": "user", "content": f"[[say: messages]] {marker}"}], **small},
        {"description": f"[[say: task]] {marker}", **task},
        {"prompt": f"[[say: no]] {marker}", "model": "opus", **small},
        {"prompt": f"[[fail: 529]] {marker}", **small},
        {"description": f"[[hang: 1]] {marker}", **task, "timeout": 2},
        {"description": f"[[tokens: 3000]] {marker}", "model": "sonnet", **task},
        {"prompt": f"[[say: too dear]] {marker}", "model": "sonnet", "max_tokens": 4000},
        {"prompt": 7},
    ).json()
    found = [each["result"] if each["status"] == "completed" else each["error"]["code"] for each in told["results"]]
    assert found[0].startswith("000 ")
    assert found[1:] == [
        *("prompt", "messages", "task", "model_not_allowed", "overloaded", "timeout", "cost_limit"),
        *("insufficient_quota", "invalid_type"),
    ]
    assert told["counts"] == {"total": 10, "completed": 4, "failed": 6, "open": 0}
    asked = {"model": "haiku", "messages": [{"role": "user", "content": "x"}]}
    [usd] = [budget["usd"] for budget in emma.http.post("/v1/explain", asked).json()["budgets"]]
    assert (usd["reserved"], usd["spent"]) == (0, pytest.approx(told["cost_usd"]))
    assert usd["spent"] <= 0.04


def test_defaults_reach_the_items_that_take_them(alice: Person, scripted_model: ScriptedServer, marker: str) -> None:
    batch(alice, f"[[say: x]] {marker}", max_tokens=77, system="Be kind.", timeout=60)
    asked = scripted_model.log.one(marker)["body"]
    assert asked["max_tokens"] == 77
    assert "Be kind." in str(asked["system"])
    assert asked["model"] == "claude-haiku-5-5"


def test_whoever_does_not_want_to_wait_comes_back_later(alice: Person, marker: str) -> None:
    answer = batch(alice, *(f"[[say: {number}]] {marker}" for number in range(120)), later=True, metadata={"a": "b"})
    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async")
    told = answer.json()
    assert answer.headers["location"] == f"/v1/batch/{told['id']}"
    assert told["counts"]["total"] == 120
    assert told["metadata"] == {"a": "b"}
    found = ended(alice, told["id"])
    assert [each["result"] for each in found["results"]] == [str(number) for number in range(120)]
    page = alice.http.get(f"/v1/batch/{told['id']}?after=99&limit=5").json()
    assert [each["index"] for each in page["results"]] == [100, 101, 102, 103, 104]
    assert page["has_more"]
    assert alice.http.get("/v1/batch?limit=1").json()["data"][0]["id"] == told["id"]


def test_a_cancelled_batch_asks_no_more(alice: Person, marker: str) -> None:
    told = batch(alice, *([f"[[hang: 0]] {marker}"] * 40), later=True).json()
    alice.http.post(f"/v1/batch/{told['id']}/cancel")
    found = ended(alice, told["id"])
    assert (found["status"], found["counts"]["failed"]) == ("cancelled", 40)
    assert {each["status"] for each in found["results"]} == {"cancelled"}


def test_cancelled_half_way_a_batch_keeps_its_answers_and_its_money(service: Service, marker: str) -> None:
    [fred] = service.people(("fred", f"p-{marker[5:13]}"))
    service.manage("set_budget", fred.project, "--usd", "5", "--period", "day")
    quick, slow = f"[[say: done]] {marker}", f"[[hang: 1]] {marker}"
    begun = batch(fred, *[quick] * 5, *[slow] * 20, later=True).json()["id"]
    eventually(
        lambda: fred.http.get(f"/v1/batch/{begun}").json()["counts"]["completed"] == 5, seconds=60, message="not begun"
    )
    fred.http.post(f"/v1/batch/{begun}/cancel")
    told = ended(fred, begun)
    assert told["status"] == "cancelled"
    assert [each["status"] for each in told["results"]] == ["completed"] * 5 + ["cancelled"] * 20
    explained = fred.http.post("/v1/explain", {"model": "haiku", "messages": [{"role": "user", "content": "x"}]}).json()
    [usd] = [budget["usd"] for budget in explained["budgets"]]
    assert (usd["reserved"], usd["spent"]) == (0, pytest.approx(told["cost_usd"]))


def test_the_same_key_makes_one_batch(alice: Person, marker: str) -> None:
    body = {"model": "haiku", "prompts": [f"[[say: once]] {marker}"]}
    first, second = (alice.http.post("/v1/batch", body, idempotency_key=marker).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert first["results"] == second["results"]


def test_nobody_sees_another_project_s_batches(alice: Person, charlie: Person, marker: str) -> None:
    told = batch(alice, f"[[say: x]] {marker}").json()
    assert charlie.http.get(f"/v1/batch/{told['id']}").status == 404
    assert charlie.http.post(f"/v1/batch/{told['id']}/cancel").status == 404
    assert told["id"] not in str(charlie.http.get("/v1/batch").json())


@pytest.mark.parametrize(
    ("prompts", "code"), [([], "invalid_value"), ("x", "invalid_type"), (["x"] * 101, "too_many_items")]
)
def test_what_is_wrong_with_the_whole_batch_is_a_bad_request(alice: Person, prompts: Any, code: str) -> None:
    answer = alice.http.post("/v1/batch", {"prompts": prompts})
    assert (answer.status, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (400, code, "prompts")


def test_a_budget_bounds_a_batch_and_gets_back_what_was_left(service: Service, marker: str) -> None:
    [dora] = service.people(("dora", f"p-{marker[5:13]}"))
    service.manage("set_budget", dora.project, "--usd", "5", "--period", "day")
    answer = batch(dora, *(f"[[say: {number}]] {marker}" for number in range(10)))
    assert answer.json()["counts"]["completed"] == 10
    explained = dora.http.post("/v1/explain", {"model": "haiku", "messages": [{"role": "user", "content": "x"}]}).json()
    [usd] = [budget["usd"] for budget in explained["budgets"]]
    assert usd["reserved"] == 0
    assert usd["spent"] == pytest.approx(answer.json()["cost_usd"])
