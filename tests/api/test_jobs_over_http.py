import json

import pytest

from tests.support.http import ServerEvent
from tests.support.service import Person, Service

NOBODYS = "job_" + "0" * 32


def chat(person: Person, text: str) -> str:
    """The id of a finished job."""
    return person.http.chat(text).headers["x-job-id"]


def events(person: Person, job_id: str, query: str = "", **headers: str) -> list[ServerEvent]:
    path = f"/v1/jobs/{job_id}/events{query}"
    with person.http.stream("GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()}) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        return list(stream.events())


def numbers(found: list[ServerEvent]) -> list[int]:
    return [int(event.id) for event in found]


def test_a_job_shows_its_request_s_outcome(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[say: Four.]] {marker}")
    job = alice.http.get(f"/v1/jobs/{answer.headers['x-job-id']}")
    assert job.headers["x-job-id"] == answer.headers["x-job-id"]
    facts = job.json()
    assert (facts["object"], facts["kind"], facts["status"], facts["project_id"]) == (
        "job",
        "chat",
        "completed",
        "atlas",
    )
    assert facts["result"] == "Four."
    assert facts["cost_usd"] == answer.json()["x_claude"]["cost_usd"] > 0
    assert facts["created_at"] <= facts["started_at"] <= facts["finished_at"]
    assert facts["error"] is None


def test_jobs_are_listed_newest_first_page_by_page(service: Service, marker: str) -> None:
    [dora] = service.people(("dora", f"p-{marker[5:13]}"))
    made = [chat(dora, f"[[say: {number}]] {marker}") for number in range(5)]
    first = dora.http.get("/v1/jobs?limit=2").json()
    second = dora.http.get(f"/v1/jobs?limit=2&after={first['last_id']}").json()
    third = dora.http.get(f"/v1/jobs?limit=2&after={second['last_id']}").json()
    seen = [job["id"] for page in (first, second, third) for job in page["data"]]
    assert seen == made[::-1]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    assert dora.http.get(f"/v1/jobs?after={third['last_id']}").json()["data"] == []


def test_jobs_are_filtered_by_status_model_and_time(service: Service, marker: str) -> None:
    [dora] = service.people(("dora", f"p-{marker[5:13]}"))
    good = chat(dora, f"[[say: Hi.]] {marker}")
    bad = dora.http.chat(f"[[fail: 500]] {marker}", model="haiku").headers["x-job-id"]

    def found(query: str) -> list[str]:
        return [job["id"] for job in dora.http.get(f"/v1/jobs?{query}").json()["data"]]

    assert found("status=failed") == [bad]
    assert found("status=completed") == [good]
    assert found("model=haiku") == found("model=claude-haiku-5-5") == [bad]
    created = dora.http.get(f"/v1/jobs/{bad}").json()["created_at"]
    assert found(f"created_after={created - 0.001}") == [bad]
    assert found(f"created_before={created - 0.001}") == [good]


def test_a_finished_job_s_events_are_numbered_without_gaps(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[tokens: 50]] [[rate: 200]] {marker}")
    found = events(alice, job_id)
    assert numbers(found) == list(range(1, len(found) + 1))
    assert found[0].event == "started"
    assert found[-1].event == "done"
    text = "".join(event.json()["content"] for event in found if event.event == "token")
    assert text == found[-1].json()["result"]
    assert all(event.json()["sequence_number"] == int(event.id) for event in found)
    assert all(event.json()["job_id"] == job_id for event in found)


def test_a_running_job_can_be_left_and_taken_up_again_anywhere(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 60]] [[rate: 20]] {marker}") as chatting:
        job_id = chatting.headers["x-job-id"]
        seen: list[ServerEvent] = []
        while not seen or seen[-1].event not in ("done", "error"):
            after = seen[-1].id if seen else "0"
            with alice.http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"last-event-id": after}) as stream:
                for event, _ in zip(stream.events(), range(7), strict=False):
                    seen.append(event)
        chatting.read()
    assert numbers(seen) == list(range(1, len(seen) + 1))


def test_starting_after_skips_what_is_known(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    whole = events(alice, job_id)
    assert numbers(events(alice, job_id, "?starting_after=1")) == numbers(whole)[1:]
    assert numbers(events(alice, job_id, "?starting_after=1", last_event_id="2")) == numbers(whole)[2:]


def test_nothing_left_to_say_is_a_204_so_that_event_sources_stop(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    last = numbers(events(alice, job_id))[-1]
    assert alice.http.get(f"/v1/jobs/{job_id}/events", last_event_id=str(last)).status == 204


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "9" * 30])
def test_a_sequence_number_that_is_none_is_a_400(alice: Person, marker: str, value: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    answer = alice.http.get(f"/v1/jobs/{job_id}/events?starting_after={value}")
    assert (answer.status, answer.json()["error"]["param"]) == (400, "starting_after")


def test_asked_for_json_the_events_are_a_list(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    listed = alice.http.get(f"/v1/jobs/{job_id}/events", accept="application/json").json()
    assert listed["job_status"] == "completed"
    assert [event["sequence_number"] for event in listed["data"]] == numbers(events(alice, job_id))


def test_json_of_a_running_job_is_what_has_come_until_now(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 200]] [[rate: 20]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
        listed = alice.http.get(f"/v1/jobs/{job_id}/events?starting_after=1", accept="application/json").json()
        assert listed["job_status"] == "in_progress"
        assert [event["type"] for event in listed["data"]] == ["token"] * len(listed["data"])
        assert listed["data"][0]["sequence_number"] == 2


def test_a_running_job_can_be_cancelled_and_keeps_its_bill(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 4000]] [[rate: 50]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
        answer = alice.http.post(f"/v1/jobs/{job_id}/cancel")
        assert (answer.status, answer.json()["id"]) == (200, job_id)
        last = list(stream.events())
    assert json.loads(last[-2].data)["error"]["code"] == "cancelled"
    job = alice.http.get(f"/v1/jobs/{job_id}").json()
    assert job["status"] == "cancelled"
    assert job["usage"]["output_tokens"] > 0
    assert job["estimated"] is True


def test_cancelling_what_has_ended_changes_nothing(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    answer = alice.http.post(f"/v1/jobs/{job_id}/cancel")
    assert (answer.status, answer.json()["status"]) == (200, "completed")


def test_a_cancelled_job_s_events_end_with_the_error(alice: Person, marker: str) -> None:
    with alice.http.chat_stream(f"[[tokens: 4000]] [[rate: 50]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        next(stream.events())
        alice.http.post(f"/v1/jobs/{job_id}/cancel")
        last = events(alice, job_id)[-1]
    assert last.event == "error"
    assert last.json()["code"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel")], ids=["look", "follow", "cancel"]
)
def test_another_project_s_job_does_not_exist(
    alice: Person, charlie: Person, marker: str, method: str, path: str
) -> None:
    with alice.http.chat_stream(f"[[tokens: 100]] [[rate: 50]] {marker}") as stream:
        job_id = stream.headers["x-job-id"]
        theirs = charlie.http.request(method, f"/v1/jobs/{job_id}{path}")
        nobodys = charlie.http.request(method, f"/v1/jobs/{NOBODYS}{path}")
        stream.read()
    assert theirs.status == nobodys.status == 404
    assert theirs.json()["error"]["message"].replace(job_id, "") == nobodys.json()["error"]["message"].replace(
        NOBODYS, ""
    )
    assert alice.http.get(f"/v1/jobs/{job_id}").json()["status"] == "completed"
    assert job_id not in str(charlie.http.get("/v1/jobs?limit=100").json())


def test_a_colleague_sees_the_project_s_jobs(alice: Person, bob: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    assert bob.http.get(f"/v1/jobs/{job_id}").status == 200


def test_what_the_service_counts_for_itself_is_never_shown(alice: Person, marker: str) -> None:
    job_id = chat(alice, f"[[say: Hi.]] {marker}")
    assert {event.event for event in events(alice, job_id)} <= {"started", "token", "thinking", "done", "error"}


def test_thinking_is_an_event_but_no_part_of_the_answer(alice: Person, marker: str) -> None:
    answer = alice.http.chat(f"[[think: Hm, two and two.]] [[say: Four.]] {marker}")
    assert answer.json()["choices"][0]["message"]["content"] == "Four."
    found = events(alice, answer.headers["x-job-id"])
    assert "".join(event.json()["content"] for event in found if event.event == "thinking") == "Hm, two and two."
