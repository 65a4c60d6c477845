from openai import OpenAI

from tests.api.test_the_openai_sdk_works import said
from tests.support.scripted import ScriptedServer
from tests.support.service import Person

HARD = "Prove rigorously that the consensus protocol keeps its invariants and derive the optimal bound."


def test_auto_answers_with_a_model_of_its_choice_and_says_why(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    answer = openai.chat.completions.create(model="auto", messages=said(f"[[say: Hello.]] hi {marker}"))
    assert answer.choices[0].message.content == "Hello."
    assert answer.model == scripted_model.log.one(marker)["body"]["model"] == "claude-haiku-5-5"
    ours = answer.to_dict()["x_claude"]
    assert isinstance(ours, dict)
    assert ours["routed_from"] == "auto"
    assert ours["route"]["tier"] == "haiku"
    assert ours["route"]["reasons"]


def test_auto_is_streamed_and_its_job_tells_the_route(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[say: Hello.]] hi {marker}", model="auto", stream=True)
    assert b'"routed_from":"auto"' in answer.body
    job = alice.http.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()
    assert (job["routed_from"], job["model"], job["route"]["model"]) == ("auto", "claude-haiku-5-5", "claude-haiku-5-5")


def test_an_overloaded_model_is_replaced_behind_the_answer(
    openai: OpenAI, scripted_model: ScriptedServer, marker: str
) -> None:
    answer = openai.chat.completions.create(
        model="auto", messages=said(f"[[fail: 529 times=1]] [[say: At last.]] hi {marker}")
    )
    assert answer.choices[0].message.content == "At last."
    first, second = [entry["body"]["model"] for entry in scripted_model.log.containing(marker)]
    ours = answer.to_dict()["x_claude"]
    assert isinstance(ours, dict)
    assert (ours["route"]["overloaded_model"], ours["model"]) == (first, second)
    assert first != second


def test_auto_is_among_the_models(openai: OpenAI) -> None:
    assert "auto" in [model.id for model in openai.models.list()]
    assert openai.models.retrieve("auto").id == "auto"


def test_the_router_can_be_asked_without_a_job(alice: Person) -> None:
    before = alice.http.get("/v1/jobs?limit=1").json()["first_id"]
    chosen = alice.http.post("/v1/route", {"prompt": HARD, "max_tokens": 1000}).json()
    assert (chosen["object"], chosen["tier"], chosen["model"]) == ("route", "sonnet", "claude-sonnet-5-5")
    assert chosen["score"] > 0.5
    assert "The key may not use opus: sonnet instead." in chosen["reason"]  # Alice's profile, pro, has none
    tiers = {tier["tier"]: tier for tier in chosen["tiers"]}
    assert [tiers[name]["allowed"] for name in ("haiku", "sonnet", "opus")] == [True, True, False]
    costs = [tiers[name]["estimated_cost_usd"] for name in ("haiku", "sonnet", "opus")]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert tiers["sonnet"]["estimated_cost_usd"] * 1_000_000 == chosen["estimated_input_tokens"] * 2 + 1000 * 10
    assert alice.http.get("/v1/jobs?limit=1").json()["first_id"] == before


def test_the_router_takes_the_body_of_a_chat(alice: Person) -> None:
    body = {"model": "opus", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    assert alice.http.post("/v1/route", body).json()["tier"] == "haiku"
    refused = alice.http.post("/v1/route", {"messages": []})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "messages")


def test_tokens_are_counted_for_auto_too(alice: Person) -> None:
    body = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    counted = alice.http.post("/v1/messages/count_tokens", body)
    assert counted.status == 200, counted.body
    assert counted.json()["input_tokens"] > 0
