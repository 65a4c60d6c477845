"""What a task leaves, asks and continues, with the real CLI; and that nobody else gets at it."""

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.api.tasking import call, make_profile, person, run
from tests.api.test_streaming_over_a_socket import hear, say, until, url_of, with_key
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service

EVENTS = {"accept": "text/event-stream"}
HTML = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def erin(service: Service) -> Person:
    """Has a key of the enterprise profile, in a project of her own."""
    return person(service, "keepers")


@pytest.fixture(scope="module")
def asking(service: Service) -> Person:
    """Has a key whose calls of Bash wait for a yes, in the same project."""
    make_profile(service, "asking", allow=["tool:*", "model:*"], ask=["tool:Bash"])
    return person(service, "keepers", profile="asking")


def test_what_a_task_leaves_is_listed_and_downloaded_and_seen_by_nobody_else(
    erin: Person, charlie: Person, marker: str
) -> None:
    write = f"mkdir -p out; printf '{HTML}' > 'out/a page.html'; ln -s /etc/hostname link; cat in.txt"
    files = [{"name": "in.txt", "content": "unchanged"}]
    job = run(erin.http, f"{call('Bash', command=write)} {marker}", allow_tools=["Bash"], files=files)

    [artifact] = job["artifacts"]
    assert job["artifacts_skipped"] == [{"name": "link", "reason": "link", "size": None}]
    assert job["artifacts_skipped_count"] == 1
    listed = erin.http.get(f"/v1/jobs/{job['id']}/artifacts").json()["data"]
    assert listed == [artifact]
    assert (artifact["name"], artifact["size"], artifact["media_type"]) == ("out/a page.html", len(HTML), "text/html")
    got = erin.http.get(artifact["url"])
    assert (got.status, got.body.decode()) == (200, HTML)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-type"] == "application/octet-stream"
    for path in (artifact["url"], f"/v1/jobs/{job['id']}/artifacts"):
        assert charlie.http.get(path).status == 404
    for name in ("link", "in.txt", "..%2f..%2fsecret_key", "../../secret_key", "out"):
        assert erin.http.get(f"/v1/jobs/{job['id']}/artifacts/{name}").status == 404


@pytest.mark.parametrize(("decision", "ran"), [("once", True), ("deny", False)])
def test_a_call_waits_until_somebody_decides(
    asking: Person, charlie: Person, marker: str, decision: str, ran: bool
) -> None:
    body = {"description": f"{call('Bash', command='echo it-ran')} {marker}", "allow_tools": ["Bash"], "stream": True}
    with asking.http.stream("POST", "/v1/task", body) as stream:
        events = stream.events()
        asked = next(event.json() for event in events if event.event == "approval")
        assert (asked["name"], asked["input"]["command"]) == ("Bash", "echo it-ran")
        place = f"/v1/jobs/{asked['job_id']}/approvals"
        [waiting] = asking.http.get(place).json()["data"]
        assert (waiting["tool_use_id"], waiting["decision"]) == (asked["tool_use_id"], None)
        assert waiting in asking.http.get("/v1/approvals").json()["data"]
        assert charlie.http.get("/v1/approvals").json()["data"] == []
        path = f"{place}/{asked['tool_use_id']}"
        assert charlie.http.post(path, {"decision": "once"}).status == 404
        assert asking.http.post(path, {"decision": "always"}).status == 400

        decided = asking.http.post(path, {"decision": decision})

        assert (decided.status, decided.json()["decision"]) == (200, decision)
        assert asking.http.post(path, {"decision": "once"}).json()["error"]["code"] == "not_waiting"
        rest = list(events)
    told = next(event.json() for event in rest if event.event == "approval_decided")
    assert (told["decision"], told["by"]) == (decision, f"key:{asking.key_id}")
    result = next(event.json() for event in rest if event.event == "tool_result")
    assert ("it-ran" in result["content"]) is ran
    assert bool(rest[-1].json()["permission_denials"]) is not ran


def test_a_yes_over_the_socket_may_hold_for_the_rest_of_the_job(service: Service, asking: Person, marker: str) -> None:
    twice = f"{call('Bash', command='echo one')} {call('Bash', command='echo two')} {marker}"
    with connect(url_of(service), additional_headers=with_key(asking)) as ws:
        say(ws, type="task", description=twice, allow_tools=["Bash"])
        asked = until(ws, "approval")[-1]
        say(ws, type="approve", id="yes", decision="job", **{name: asked[name] for name in ("job_id", "tool_use_id")})
        frames = until(ws, "done")

    assert [frame["id"] for frame in frames if frame["type"] == "decided"] == ["yes"]
    assert [frame["content"].strip() for frame in frames if frame["type"] == "tool_result"] == ["one", "two"]
    assert "approval" not in {frame["type"] for frame in frames}


def test_a_session_goes_on_and_belongs_to_its_project(
    erin: Person, charlie: Person, marker: str, scripted_model: ScriptedServer
) -> None:
    first = run(erin.http, f"Remember the word heron. [[say: I will.]] {marker}")
    session = f"/v1/sessions/{first['session_id']}"

    second = run(erin.http, f"Which word? [[say: heron]] {marker}", session_id=first["session_id"])

    assert second["session_id"] == first["session_id"]
    asked = json.dumps(scripted_model.log.containing(marker)[-1])
    assert "Remember the word heron." in asked
    assert "I will." in asked
    assert erin.http.get(session).json()["last_job_id"] == second["id"]
    jobs = erin.http.get(f"/v1/jobs?session_id={first['session_id']}").json()["data"]
    assert [job["id"] for job in jobs] == [second["id"], first["id"]]

    fork = erin.http.post(f"{session}/fork")
    assert fork.status == 201
    third = run(erin.http, f"And now? [[say: still]] {marker}", session_id=fork.json()["id"])
    assert third["session_id"] == fork.json()["id"]
    assert "Remember the word heron." in json.dumps(scripted_model.log.containing(marker)[-1])

    stolen = {"description": "Go on.", "session_id": first["session_id"]}
    assert charlie.http.post("/v1/task", stolen).status == 404
    assert charlie.http.post(f"{session}/fork").status == 404
    for method in ("GET", "DELETE"):
        assert charlie.http.request(method, session).status == 404
    assert first["session_id"] not in {each["id"] for each in charlie.http.get("/v1/sessions").json()["data"]}
    mine = [each["id"] for each in erin.http.get("/v1/sessions?limit=2").json()["data"]]
    assert mine == [fork.json()["id"], first["session_id"]]

    assert erin.http.request("DELETE", session).json()["deleted"] is True
    assert erin.http.get(session).status == 404
    assert erin.http.post("/v1/task", stolen).status == 404
    assert erin.http.get(f"/v1/jobs/{first['id']}").status == 200


def test_a_session_goes_on_with_the_files_of_its_tasks(erin: Person, marker: str) -> None:
    files = [{"name": "in.txt", "content": "sent first"}, {"name": "old.txt", "content": "old"}]
    write = "printf made > out.txt; printf changed > old.txt"
    first = run(erin.http, f"{call('Bash', command=write)} {marker}", allow_tools=["Bash"], files=files)
    look = f"{call('Bash', command='head -n 9 *')} {marker}"

    second = run(erin.http, look, allow_tools=["Bash"], session_id=first["session_id"])
    fork = erin.http.post(f"/v1/sessions/{first['session_id']}/fork").json()["id"]
    newer = [{"name": "in.txt", "content": "sent again"}]
    third = run(erin.http, look, allow_tools=["Bash"], session_id=fork, files=newer)

    seen = [_said(erin, job) for job in (second, third)]
    assert all(word in text for text in seen for word in ("made", "changed"))
    assert ["sent first" in text for text in seen] == [True, False]
    assert "sent again" in seen[1]
    assert second["artifacts"] == []


def _said(person: Person, job: dict[str, Any]) -> str:
    events = person.http.get(f"/v1/jobs/{job['id']}/events", accept="application/json").json()["data"]
    return str(next(each["content"] for each in events if each["type"] == "tool_result"))


def test_a_webhook_is_signed_with_the_projects_secret_and_sent_again_on_request(
    erin: Person, charlie: Person, marker: str
) -> None:
    secret = erin.http.get("/v1/webhooks/secret").json()["secret"]
    assert secret.startswith("whsec_")
    assert charlie.http.get("/v1/webhooks/secret").json()["secret"] != secret
    told, silent = (
        run(erin.http, f"[[say: ok]] {marker}", **fields) for fields in ({"webhook_url": "https://hooks.invalid/x"}, {})
    )

    again = erin.http.post(f"/v1/jobs/{told['id']}/redeliver")

    assert (again.status, again.json()["url"]) == (202, "https://hooks.invalid/x")
    assert erin.http.post(f"/v1/jobs/{silent['id']}/redeliver").status == 409
    assert charlie.http.post(f"/v1/jobs/{told['id']}/redeliver").status == 404


def test_a_task_is_explained_before_it_is_run(erin: Person, alice: Person) -> None:
    body = {"description": "List the files.", "allow_tools": ["Read", "Bash"]}

    mine, hers = (one.http.post("/v1/explain", body).json() for one in (erin, alice))

    assert (mine["kind"], mine["allowed"], hers["allowed"]) == ("task", True, False)
    assert any("Bash" in objection for objection in hers["objections"])
    assert alice.http.post("/v1/explain", {**body, "allow_tools": ["Nothing"]}).status == 422


def test_the_router_chooses_for_tasks_too(erin: Person, marker: str) -> None:
    job = run(erin.http, f"Rename a variable. [[say: done]] {marker}", model="auto")
    assert job["routed_from"] == "auto"


def test_a_repeated_task_is_done_once(erin: Person, marker: str) -> None:
    body = {"description": f"[[say: once]] {marker}"}
    first, second = (erin.http.post("/v1/task", body, idempotency_key=f"task-{marker}") for _ in range(2))
    assert first.json()["id"] == second.json()["id"]


def test_closing_a_socket_loses_no_question(service: Service, asking: Person, marker: str) -> None:
    with connect(url_of(service), additional_headers=with_key(asking)) as ws:
        say(ws, type="task", description=f"{call('Bash', command='echo hi')} {marker}", allow_tools=["Bash"])
        job_id = hear(ws)["job_id"]

    with asking.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=EVENTS) as stream:
        events = stream.events()
        asked = next(event.json() for event in events if event.event == "approval")
        asking.http.post(f"/v1/jobs/{job_id}/approvals/{asked['tool_use_id']}", {"decision": "once"})
        *_, done = events
    assert done.json()["tools_used"] == ["Bash"]
