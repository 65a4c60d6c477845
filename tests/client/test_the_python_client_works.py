"""What a program does with the client: ask, stream, have things done, and what it is told when that fails."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from claude_code_client import (
    AuthenticationFailed,
    ClaudeClient,
    ConnectionFailed,
    Event,
    InvalidRequest,
    JobFailed,
    NotAllowed,
    NotFound,
    ServiceUnavailable,
    WaitedTooLong,
)
from tests.api.tasking import call as tool
from tests.api.tasking import person
from tests.client.conftest import NewClient
from tests.client.cutting import Cutter
from tests.support.ports import free_port
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service


def test_a_question_is_answered_with_its_cost(client: ClaudeClient, marker: str) -> None:
    answer = client.complete(f"What is the capital of France? [[say: Paris.]] {marker}", model="haiku")
    assert answer.text == str(answer) == "Paris."
    assert answer.model == "claude-haiku-5-5"
    assert answer.finish_reason == "stop"
    assert answer.prompt_tokens > 0
    assert answer.cost_usd
    assert answer.job_id
    assert client.job(answer.job_id).cost_usd == answer.cost_usd


def test_a_conversation_and_a_system_prompt_are_sent_as_they_are(
    client: ClaudeClient, scripted_model: ScriptedServer, marker: str
) -> None:
    talk = [
        {"role": "user", "content": "I am Paula."},
        {"role": "assistant", "content": "Hello, Paula."},
        {"role": "user", "content": f"[[say: Paula.]] Who am I? {marker}"},
    ]
    assert client.complete(talk, system=f"Be brief {marker}.", max_tokens=50).text == "Paula."
    [asked] = scripted_model.log.containing(marker)
    assert f"Be brief {marker}." in json.dumps(asked)


def test_functions_come_back_as_tool_calls(client: ClaudeClient, marker: str) -> None:
    weather = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    said = f"{tool('weather', city='Paris')} {marker}"
    functions = [{"type": "function", "function": weather}]
    whole = client.complete(said, tools=functions)
    stream = client.stream(said, tools=functions)
    for answer in (whole, stream.completion):
        assert answer.finish_reason == "tool_calls"
        assert [(call["name"], json.loads(call["arguments"])) for call in answer.tool_calls] == [
            ("weather", {"city": "Paris"})
        ]


def test_tokens_come_one_by_one(client: ClaudeClient, marker: str) -> None:
    stream = client.stream(f"[[tokens: 40]] [[piece: 1]] [[rate: 20]] {marker}", model="haiku")
    pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.completion.text
    assert stream.completion.completion_tokens == 40
    assert stream.completion.job_id == stream.job_id
    assert stream.completion.cost_usd


@pytest.mark.parametrize("bytes_seen", [700, 2500])
def test_a_broken_stream_goes_on_where_it_was(
    new_client: NewClient, cutter: Cutter, paula: Person, marker: str, bytes_seen: int
) -> None:
    client = new_client(cutter.url, paula.key)
    cutter.after([bytes_seen, 1500])
    stream = client.stream(f"[[tokens: 60]] [[piece: 1]] [[rate: 20]] {marker}")
    text = "".join(stream)
    assert cutter.connections == 3
    assert stream.job_id
    assert text == client.job(stream.job_id).result
    assert stream.completion.text == text
    assert stream.completion.completion_tokens == 60


def test_a_request_whose_answer_was_lost_is_done_once(
    new_client: NewClient, cutter: Cutter, paula: Person, scripted_model: ScriptedServer, marker: str
) -> None:
    client = new_client(cutter.url, paula.key)
    cutter.after([1])
    assert client.complete(f"[[say: once]] {marker}").text == "once"
    assert cutter.connections == 2
    assert len(scripted_model.log.containing(marker)) == 1


def test_a_task_is_done_and_its_steps_can_be_watched(client: ClaudeClient, tmp_path: Path, marker: str) -> None:
    (tmp_path / "b.py").write_text("print(2)")
    seen: list[Event] = []
    job = client.agentic_task(
        f"List the Python files. {tool('Glob', pattern='*.py')} [[say: Two files.]] {marker}",
        allow_tools=["Read", "Glob", "Grep"],
        files={"a.py": "print(1)", "b.py": tmp_path / "b.py", "c.bin": b"\x00\xff"},
        on_event=seen.append,
    )
    assert (job.text, job.status, job.tools_used) == ("Two files.", "completed", ["Glob"])
    [used] = [event for event in seen if event.type == "tool_use"]
    assert used.data["name"] == "Glob"
    [found] = [event for event in seen if event.type == "tool_result"]
    assert "a.py" in found.data["content"]
    assert "b.py" in found.data["content"]
    assert seen[-1].terminal
    assert job.cost_usd > 0
    assert job.session_id
    assert client.agentic_task(f"And now? [[say: Still.]] {marker}", session_id=job.session_id).text == "Still."


def test_a_broken_watch_of_a_task_misses_nothing(
    new_client: NewClient, cutter: Cutter, paula: Person, marker: str
) -> None:
    client = new_client(cutter.url, paula.key)
    job = client.submit_task(f"[[tokens: 60]] [[piece: 1]] [[rate: 20]] {marker}")
    cutter.after([0, 900, 900])
    watcher = new_client(cutter.url, paula.key)
    events = list(watcher.follow(job.id))
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert "".join(event.text for event in events) == client.wait(job.id).text
    assert cutter.connections >= 4


def test_files_that_a_task_left_are_fetched(client: ClaudeClient, marker: str) -> None:
    write = tool("Write", file_path="notes/report.txt", content="all is well")
    job = client.agentic_task(f"Report. {write} [[say: done]] {marker}", allow_tools=["Write"])
    assert [each["name"] for each in job.artifacts] == ["notes/report.txt"]
    assert client.download(job.id, "notes/report.txt") == b"all is well"


def test_a_job_that_fails_says_why_and_what_it_cost(client: ClaudeClient, marker: str) -> None:
    with pytest.raises(JobFailed) as raised:
        client.agentic_task(f"[[tokens: 5000]] {marker}", max_cost=0.01)
    assert raised.value.code == "cost_limit"
    assert raised.value.job.status == "failed"
    assert raised.value.job.id == raised.value.job_id


def test_a_failing_upstream_is_tried_again_and_then_told(
    new_client: NewClient, service: Service, paula: Person
) -> None:
    client = new_client(service.url, paula.key, max_retries=0)
    with pytest.raises(ServiceUnavailable) as raised:
        client.complete("[[fail: 529]] hello")
    assert (raised.value.status, raised.value.code) == (529, "overloaded")
    assert raised.value.request_id


def test_errors_are_of_their_kind(new_client: NewClient, client: ClaudeClient, service: Service) -> None:
    with pytest.raises(AuthenticationFailed):
        new_client(service.url, "ccs_live_wrong").complete("hello")
    with pytest.raises(InvalidRequest) as raised:
        client.complete("hello", temperature=9)
    assert raised.value.param == "temperature"
    with pytest.raises(NotFound):
        client.job("job_" + "0" * 32)
    with pytest.raises(ConnectionFailed):
        new_client(f"http://127.0.0.1:{free_port()}", "x", max_retries=1).complete("hello")


def test_jobs_are_listed_and_cancelled(client: ClaudeClient, marker: str) -> None:
    job = client.submit_task(f"[[hang]] {marker}")
    assert job.is_open
    assert job.id in [each.id for each in client.jobs(model=job.model)]
    client.cancel(job.id)
    with pytest.raises(JobFailed) as raised:
        client.wait(job.id)
    assert raised.value.job.status == "cancelled"


def test_usage_models_and_capabilities_are_those_of_the_key(client: ClaudeClient, marker: str) -> None:
    before = client.usage(group_by=["model"]).total.requests
    answer = client.complete(f"[[say: counted]] {marker}", model="haiku")
    today = datetime.now(UTC)
    usage = client.usage(since=today - timedelta(days=1), until=today, group_by=["day", "model"], tz="Europe/Berlin")
    assert client.usage(group_by="model").total.requests == before + 1
    assert usage.total.cost_usd >= (answer.cost_usd or 0)
    assert "claude-haiku-5-5" in [row.group["model"] for row in usage.rows]
    assert "haiku" in client.models()
    assert "Read" in [each["name"] for each in client.capabilities()["tools"]]
    told = client.explain({"model": "haiku", "messages": [{"role": "user", "content": "hello"}]})
    assert told["allowed"] is True


def test_what_a_profile_does_not_allow_is_refused(new_client: NewClient, service: Service) -> None:
    with pytest.raises(NotAllowed):
        new_client(service.url, person(service, "papyrus", "free").key).complete("hello", model="opus")


def test_a_batch_is_answered_in_order_item_by_item(client: ClaudeClient, marker: str) -> None:
    batch = client.batch(
        [
            f"[[say: one]] {marker}",
            {"messages": [{"role": "user", "content": f"[[fail: 400]] {marker}"}]},
            {"description": f"{tool('Glob', pattern='*')} [[say: three]] {marker}", "allow_tools": ["Glob"]},
            {"nonsense": True},
            {"prompt": f"[[say: five]] {marker}", "model": "sonnet"},
        ],
        model="haiku",
    )
    assert batch.ended
    assert [item.index for item in batch.results] == [0, 1, 2, 3, 4]
    assert [item.result for item in batch.results if item.ok] == ["one", "three", "five"]
    assert [item.kind for item in batch.results] == ["chat", "chat", "task", None, "chat"]
    assert not batch.results[1].ok
    assert batch.results[3].error
    assert (batch.total, batch.completed, batch.failed) == (5, 3, 2)
    assert batch.cost_usd == pytest.approx(sum(item.cost_usd for item in batch.results))


def test_a_long_batch_is_read_to_its_end_and_can_be_cancelled(client: ClaudeClient, marker: str) -> None:
    batch = client.submit_batch([{"custom_id": f"{number}"} for number in range(1100)])
    assert len(client.wait_batch(batch.id).results) == 1100
    hanging = client.submit_batch([f"[[hang]] {marker}"] * 3)
    with pytest.raises(WaitedTooLong):
        client.wait_batch(hanging.id, wait_seconds=0)
    client.cancel_batch(hanging.id)
    assert client.wait_batch(hanging.id).ended
