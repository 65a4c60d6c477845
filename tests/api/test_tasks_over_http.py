"""`POST /v1/task` with the real CLI; the founding examples run as written."""

import json
import re
from typing import Any

import pytest

from config.env import ROOT
from tests.api.tasking import agent, call, furnish, person, run, skill
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

DOCS = ROOT / "docs" / "tasks.md"
PYTHON = [{"name": "app.py", "content": "import util\n"}, {"name": "lib/util.py", "content": "x = 1\n"}]


@pytest.fixture(scope="module")
def erin(service: Service) -> Person:
    """Has a key of the enterprise profile, in a project of her own."""
    return person(service, "tasks")


@pytest.fixture(scope="module", autouse=True)
def _furnished(service: Service) -> None:
    home = furnish(service)
    agent(home, "security-auditor", tools="Read, Grep", description="Finds holes in code.")
    agent(home, "poet", description="Writes poems.")
    agent(home, "cheap", model="haiku", tools="Read")
    skill(home, "report", body="Write the report as three bullet points.", description="How reports look here.")
    service.manage("scan_capabilities")


def test_the_first_founding_example_lists_python_files(erin: Person, marker: str) -> None:
    job = run(
        erin.http,
        f"List all Python files in the current directory {call('Glob', pattern='**/*.py')} [[say: two files]] {marker}",
        allow_tools=["Glob", "Read"],
        files=PYTHON,
        timeout=60,
    )

    assert (job["kind"], job["status"], job["result"]) == ("task", "completed", "two files")
    assert (job["tools_used"], job["num_turns"], job["permission_denials"]) == (["Glob"], 2, [])
    assert job["cost_usd"] > 0
    assert job["usage"]["output_tokens"] > 0
    assert job["session_id"].startswith("session_")
    [found] = _results(erin, job)
    assert "app.py" in found
    assert "lib/util.py" in found


def test_the_second_founding_example_uses_agents_and_skills_in_one_task(
    erin: Person, marker: str, scripted_model: ScriptedServer
) -> None:
    delegate = call(
        "Agent", subagent_type="security-auditor", description="audit", prompt=f"[[say: no holes]] {marker}"
    )
    job = run(
        erin.http,
        f"Audit the code and report {delegate} {call('Skill', skill='granted:report')} [[say: - fine]] {marker}",
        allow_agents=["security-auditor"],
        allow_skills=["report"],
        files=PYTHON,
    )

    assert (job["status"], job["result"], job["tools_used"]) == ("completed", "- fine", ["Agent", "Skill"]), job
    audited, reported = _results(erin, job)[:2]
    assert "no holes" in audited
    assert "report" in reported
    assert {"agent:security-auditor", "skill:report"} <= job["cost_attribution"].keys()
    asked = scripted_model.log.containing(marker)
    first = str(asked[0])
    assert "security-auditor: Finds holes in code." in first
    assert "granted:report: How reports look here." in first
    assert "poet" not in first
    assert any("three bullet points" in str(request) for request in asked)


def test_the_third_founding_example_analyses_code_with_tools_and_leaves_files(erin: Person, marker: str) -> None:
    job = run(
        erin.http,
        f"Analyse this code {call('Read', file_path='/workspace/lib/util.py')}"
        f" {call('Bash', command='wc -l *.py > report.txt; cat report.txt')} [[say: one line]] {marker}",
        allow_tools=["Read", "Bash", "Grep"],
        files=PYTHON,
        max_turns=10,
        max_cost=0.5,
        model="haiku",
    )

    assert (job["model"], job["tools_used"], job["result"]) == ("claude-haiku-5-5", ["Read", "Bash"], "one line")
    read, counted = _results(erin, job)
    assert "x = 1" in read
    assert "1 app.py" in counted


def test_a_task_that_names_no_tools_can_look_around_and_no_more(erin: Person, marker: str) -> None:
    job = run(erin.http, f"{call('Bash', command='id')} {call('Glob', pattern='*')} [[say: ok]] {marker}", files=PYTHON)

    assert [denied["tool"] for denied in job["permission_denials"]] == ["Bash"]
    denied, found = _results(erin, job)
    assert "uid=" not in denied
    assert "app.py" in found


def test_the_answer_can_be_an_object(erin: Person, marker: str) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    job = run(
        erin.http, f"{call('StructuredOutput', count=2)} [[say: done]] {marker}", allow_tools=[], output_schema=schema
    )
    assert job["structured_output"] == {"count": 2}


def test_the_examples_of_the_documentation_run_as_they_stand(erin: Person) -> None:
    examples = [json.loads(found) for found in re.findall(r"/v1/task .*?-d '(\{.*?\n\})'", DOCS.read_text(), re.DOTALL)]
    assert len(examples) == 3
    for body in examples:
        answer = erin.http.post("/v1/task", {**body, "stream": False})
        assert (answer.status, answer.json()["status"]) == (200, "completed"), answer.body


def test_an_agent_answers_with_its_own_model(erin: Person, marker: str, scripted_model: ScriptedServer) -> None:
    delegate = call("Agent", subagent_type="cheap", description="ask", prompt=f"[[say: cheaply]] {marker}")
    job = run(erin.http, f"Ask {delegate} [[say: done]] {marker}", allow_agents=["cheap"], model="sonnet")

    assert job["status"] == "completed", job
    models = [request["body"]["model"] for request in scripted_model.log.containing(marker)]
    assert set(models) == {"claude-sonnet-5-5", "claude-haiku-5-5"}


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "says"),
    [
        ({"allow_tools": ["Bash"]}, 403, "not_allowed", "allow_tools", "Bash"),
        ({"allow_tools": ["Read", "Write", "Bash"], "max_turns": 999}, 403, "not_allowed", None, "50 turns"),
        ({"model": "opus"}, 403, "model_not_allowed", "model", "opus"),
        ({"max_cost": 900}, 403, "not_allowed", "max_cost", "$1"),
        ({"allow_tools": ["Read Bash"]}, 422, "unknown_name", "allow_tools", "This key may use: Read"),
        ({"allow_tools": ["*"]}, 422, "unknown_name", "allow_tools", "This key may use: Read"),
        ({"allow_tools": ["Bash(*)"]}, 422, "unknown_name", "allow_tools", "This key may use: Read"),
        ({"allow_agents": ["nobody"]}, 422, "unknown_name", "allow_agents", "security-auditor"),
        ({"allow_skills": ["../report"]}, 422, "unknown_name", "allow_skills", "report"),
        ({"session_id": "session_of_nobody"}, 404, "session_not_found", "session_id", "no session"),
        ({"description": "  "}, 400, "invalid_value", "description", "says nothing"),
        ({"description": None}, 400, "invalid_value", "description", "what is to be done"),
        ({"timeout": 100_000}, 400, "invalid_value", "timeout", "seconds"),
        ({"max_turns": 0}, 400, "invalid_value", "max_turns", "at least 1"),
        ({"max_cost": 0}, 400, "invalid_value", "max_cost", "above 0"),
        ({"allow_tools": "Read"}, 400, "invalid_type", "allow_tools", "list"),
        ({"files": [{"name": "../x", "content": ""}]}, 400, "invalid_value", "files[0].name", "relative"),
        ({"files": [{"name": "/etc/x", "content": ""}]}, 400, "invalid_value", "files[0].name", "relative"),
        ({"files": [{"name": "a", "content": ""}] * 2}, 400, "invalid_value", "files", "two files"),
        ({"files": [{"name": "a", "content": ""}, {"name": "a/b", "content": ""}]}, 400, "invalid_value", "files", "a"),
        ({"files": [{"name": "a", "content_base64": "%"}]}, 400, "invalid_value", "files[0].content_base64", "base64"),
        ({"output_schema": {"type": "array"}}, 400, "invalid_value", "output_schema", "object"),
        ({"webhook_url": "http://hooks.example.org"}, 400, "invalid_value", "webhook_url", "https"),
        ({"colour": "red"}, 400, "unsupported_parameter", "colour", "colour"),
    ],
)
def test_what_cannot_be_done_says_which_parameter_is_in_the_way(
    alice: Person, fields: dict[str, Any], status: int, code: str, param: str | None, says: str
) -> None:
    answer = alice.http.post("/v1/task", {"description": "Do it.", **fields})

    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == (status, code, param), error
    assert says in error["message"]


def test_a_client_need_not_wait(erin: Person, marker: str) -> None:
    answer = erin.http.post("/v1/task", {"description": f"[[say: later]] {marker}"}, prefer="respond-async, wait=5")

    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async")
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    with erin.http.stream("GET", f"/v1/jobs/{job['id']}/events", headers={"accept": "text/event-stream"}) as stream:
        *_, done = stream.events()
    assert done.json()["result"] == "later"


def test_a_task_can_be_watched(erin: Person, marker: str) -> None:
    body = {
        "description": f"{call('Bash', command='echo hello')} [[say: all done]] {marker}",
        "allow_tools": ["Bash"],
        "stream": True,
    }
    with erin.http.stream("POST", "/v1/task", body) as stream:
        job_id = stream.headers["x-job-id"]
        queued, *events = stream.events()

    assert (queued.event, queued.json()["job_id"], queued.id) == ("queued", job_id, "")
    assert [event.id for event in events] == [str(number) for number in range(1, len(events) + 1)]
    kinds = [event.event for event in events]
    assert [kind for kind in kinds if kind not in ("token", "thinking")] == [
        "started",
        "tool_use",
        "tool_result",
        "done",
    ]
    use = next(event.json() for event in events if event.event == "tool_use")
    result = next(event.json() for event in events if event.event == "tool_result")
    assert (use["name"], use["input"]["command"]) == ("Bash", "echo hello")
    assert (result["tool_use_id"], result["content"].strip()) == (use["tool_use_id"], "hello")
    assert "".join(event.json()["content"] for event in events if event.event == "token").endswith("all done")


def test_a_client_that_leaves_stops_nothing(erin: Person, marker: str) -> None:
    body = {"description": f"[[delay: 3]] [[say: still here]] {marker}"}
    stream = erin.http.stream("POST", "/v1/task", {**body, "stream": True})
    job_id = stream.headers["x-job-id"]
    stream.close()

    with erin.http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"accept": "text/event-stream"}) as again:
        *_, done = again.events()
    assert done.json()["result"] == "still here"


def test_a_running_task_is_cancelled(erin: Person, marker: str) -> None:
    body = {"description": f"{call('Bash', command='sleep 300')} {marker}", "allow_tools": ["Bash"], "stream": True}
    with erin.http.stream("POST", "/v1/task", body) as stream:
        events = stream.events()
        while next(events).event != "tool_use":
            pass
        erin.http.post(f"/v1/jobs/{stream.headers['x-job-id']}/cancel")
        *_, last = events
    assert (last.event, last.json()["code"]) == ("error", "cancelled")


def test_a_failed_task_tells_the_problem_and_the_job(erin: Person, marker: str) -> None:
    answer = erin.http.post("/v1/task", {"description": f"[[tokens: 5000]] {marker}", "max_cost": 0.01})

    told = answer.json()
    assert answer.status == 402, told
    assert told["error"]["code"] == "cost_limit"
    assert told["job"]["id"] == answer.headers["x-job-id"]
    assert told["job"]["cost_usd"] <= 0.01


def test_a_task_that_runs_out_of_turns_says_so(erin: Person, marker: str) -> None:
    again = " ".join(call("Bash", command="true") for _ in range(5))
    job = run(erin.http, f"{again} {marker}", allow_tools=["Bash"], max_turns=2)
    assert (job["status"], job["stop_reason"]) == ("completed", "max_turns")


def test_the_tools_of_a_task_are_on_record(erin: Person, service: Service, marker: str) -> None:
    job = run(erin.http, f"{call('Bash', command='echo secret-word')} {marker}", allow_tools=["Bash"])

    recorded = service.manage("audit_export")
    mine = [line for line in recorded.splitlines() if job["id"] in line]
    assert any('"tool.used"' in line for line in mine)
    assert not any("secret-word" in line for line in mine)


def test_capabilities_are_what_the_key_may_use_and_how(erin: Person, alice: Person) -> None:
    mine, hers = (one.http.get("/v1/capabilities").json() for one in (erin, alice))

    assert {"Bash", "Read", "WebFetch"} <= {tool["name"] for tool in mine["tools"]}
    assert "Bash" not in {tool["name"] for tool in hers["tools"]}
    auditor = next(each for each in mine["agents"] if each["name"] == "security-auditor")
    assert (auditor["description"], auditor["tools"]) == ("Finds holes in code.", ["Read", "Grep"])
    assert auditor["invocation"]["parameter"] == "allow_agents"
    assert [each["name"] for each in mine["skills"]] == ["report"]
    assert {"haiku", "sonnet"} <= {model["alias"] for model in hers["models"]}
    assert "opus" not in {model["alias"] for model in hers["models"]}


def _results(person: Person, job: dict[str, Any]) -> list[str]:
    """What the main conversation's tool calls came to."""
    events = person.http.get(f"/v1/jobs/{job['id']}/events", accept="application/json").json()["data"]
    return [each["content"] for each in events if each["type"] == "tool_result" and not each["parent_id"]]
