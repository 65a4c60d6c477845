"""What an operator types after a day's work: do the budgets, the ledger, the egress rows and the record agree?"""

import json

from tests.support.http import chat_body
from tests.support.scripted import ScriptedServer
from tests.support.service import Service, ServiceFactory


def test_a_budget_stops_a_project_and_every_figure_agrees(
    new_service: ServiceFactory, scripted_model: ScriptedServer, marker: str
) -> None:
    service = new_service()
    service.manage("issue_key", "atlas", "--name", "first")
    service.manage("set_budget", "atlas", "--usd", "0.03", "--period", "month")
    http = service.alice.http
    usage = '[[usage: {"input_tokens": 100, "output_tokens": 1000}]]'
    assert http.chat(f"{usage} {marker}").status == 200, "$0.0102 of $0.03"
    assert http.chat("[[fail: 529]] hello").status == 529
    assert http.chat(f"{usage} {marker}").status == 200, "$0.0204 of $0.03"
    refused = http.post("/v1/chat/completions", chat_body(f"hello {marker}"))
    assert (refused.status, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert refused.headers["x-should-retry"] == "false"
    asked = [entry for entry in scripted_model.log.containing(marker) if "count_tokens" not in entry["path"]]
    assert len(asked) == 2, "what is refused is not asked"

    proven = service.manage("ledger_verify")
    assert "egress rows: 3 jobs" in proven
    assert "all agree" in proven
    assert json.loads(service.manage("audit_verify", "--json"))
    actions = [json.loads(line).get("action") for line in service.manage("audit_export").splitlines()]
    assert [actions.count(f"job.{done}") for done in ("submitted", "refused", "closed")] == [3, 1, 3]


def test_a_key_is_granted_no_more_than_its_profile_allows(service: Service) -> None:
    key = json.loads(service.manage("issue_key", "modest", "--profile", "free", "--json"))["key"]
    http = service.http(key)
    refused = http.chat("hello", model="opus")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    assert http.chat("hello", model="haiku").status == 200
    assert "opus" not in [model["id"] for model in http.get("/v1/models").json()["data"]]
