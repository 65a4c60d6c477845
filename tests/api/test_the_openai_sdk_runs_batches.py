"""Files and batches with the official client, against the real service."""

import json
from collections.abc import Callable
from typing import Any, Final

import openai as sdk
import pytest
from openai import OpenAI
from openai.types import Batch

from apps.jobs.batches import files
from tests.support.service import Person, Service
from tests.support.waiting import eventually

ENDPOINT: Final = "/v1/chat/completions"


def line(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": ENDPOINT,
        "body": {"model": "haiku", "messages": messages, **body},
    }


def jsonl(*lines: Any) -> bytes:
    return b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in lines)


Begin = Callable[..., Batch]


@pytest.fixture
def begin(openai: OpenAI) -> Begin:
    """`begin(line, …)` uploads the lines and begins a batch of them."""

    def make(*lines: Any) -> Batch:
        sent = openai.files.create(file=("requests.jsonl", jsonl(*lines)), purpose="batch")
        return openai.batches.create(input_file_id=sent.id, endpoint=ENDPOINT, completion_window="24h")

    return make


def ended(openai: OpenAI, batch: Batch) -> Batch:
    def look() -> Batch | None:
        found = openai.batches.retrieve(batch.id)
        return found if found.status in ("completed", "failed", "expired", "cancelled") else None

    return eventually(look, seconds=60, message="the batch did not end")


def lines_of(openai: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id
    return [json.loads(each) for each in openai.files.content(file_id).text.splitlines()]


def test_a_file_of_requests_becomes_a_file_of_answers_and_one_of_errors(
    openai: OpenAI, begin: Begin, marker: str
) -> None:
    batch = begin(
        line("a", f"[[say: one]] {marker}"),
        line("b", f"[[fail: 500]] {marker}"),
        line("c", f"[[say: two]] {marker}", max_tokens=30),
        line("d", f"[[say: no]] {marker}", logprobs=True),
        line("e", f"[[say: no]] {marker}", model="opus"),
    )
    assert (batch.status, batch.object, batch.endpoint) == ("validating", "batch", ENDPOINT)
    assert batch.request_counts
    assert batch.request_counts.total == 5
    done = ended(openai, batch)
    assert done.status == "completed"
    assert done.request_counts
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 3)
    assert done.created_at <= (done.in_progress_at or 0) <= (done.finalizing_at or 0) <= (done.completed_at or 0)
    good = lines_of(openai, done.output_file_id)
    assert [each["custom_id"] for each in good] == ["a", "c"]
    answer = sdk.types.chat.ChatCompletion.model_validate(good[0]["response"]["body"])
    assert answer.choices[0].message.content == "one"
    assert answer.usage
    assert good[0]["response"]["status_code"] == 200
    bad = {each["custom_id"]: each["response"] for each in lines_of(openai, done.error_file_id)}
    assert {name: each["status_code"] for name, each in bad.items()} == {"b": 500, "d": 400, "e": 403}
    assert bad["d"]["body"]["error"]["param"] == "logprobs"
    assert bad["e"]["body"]["error"]["code"] == "model_not_allowed"


@pytest.mark.parametrize(
    ("bad", "code", "number"),
    [
        (b"{not json\n", "invalid_json_line", 2),
        ({**line("x", "hi"), "custom_id": None}, "missing_required_parameter", 2),
        (line("good", "hi"), "duplicate_custom_id", 2),
        ({**line("x", "hi"), "url": "/v1/embeddings"}, "mismatched_url", 2),
        ({**line("x", "hi"), "method": "GET"}, "invalid_method", 2),
    ],
)
def test_a_file_that_cannot_be_read_fails_line_by_line(begin: Begin, bad: Any, code: str, number: int) -> None:
    batch = begin(line("good", "hi"), bad)
    assert batch.status == "failed"
    assert batch.failed_at
    assert batch.errors
    assert batch.errors.data
    assert [(each.code, each.line) for each in batch.errors.data] == [(code, number)]


def test_an_empty_file_fails(begin: Begin) -> None:
    batch = begin(b"\n\n")
    assert batch.errors
    assert batch.errors.data
    assert batch.errors.data[0].code == "empty_file"


def test_a_cancelled_batch_keeps_its_answers_and_names_what_was_not_asked(
    openai: OpenAI, begin: Begin, marker: str
) -> None:
    batch = begin(
        line("quick", f"[[say: done]] {marker}"), *(line(f"s{n}", f"[[hang: 0]] {marker}") for n in range(40))
    )
    eventually(
        lambda: (counts := openai.batches.retrieve(batch.id).request_counts) and counts.completed == 1,
        seconds=30,
        message="the first item was not answered",
    )
    assert openai.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    done = ended(openai, batch)
    assert done.status == "cancelled"
    assert done.cancelling_at
    assert done.cancelled_at
    assert [each["custom_id"] for each in lines_of(openai, done.output_file_id)] == ["quick"]
    errors = lines_of(openai, done.error_file_id)
    assert [each["custom_id"] for each in errors] == [f"s{n}" for n in range(40)]
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}


def test_batches_are_listed_with_their_metadata(openai: OpenAI, marker: str) -> None:
    sent = openai.files.create(file=("r.jsonl", jsonl(line("a", f"[[say: x]] {marker}"))), purpose="batch")
    made = openai.batches.create(
        input_file_id=sent.id, endpoint=ENDPOINT, completion_window="24h", metadata={"mark": marker}
    )
    found = next(each for each in openai.batches.list(limit=1) if each.id == made.id)
    assert found.metadata == {"mark": marker}


def test_files_are_kept_listed_read_and_deleted(openai: OpenAI, marker: str) -> None:
    content = jsonl(line("a", marker))
    sent = openai.files.create(file=("näme/../x.jsonl", content), purpose="batch")
    assert (sent.bytes, sent.purpose, sent.status) == (len(content), "batch", "processed")
    assert openai.files.retrieve(sent.id).filename == "x.jsonl"
    assert openai.files.content(sent.id).read() == content
    assert sent.id in [each.id for each in openai.files.list(limit=5)]
    second = openai.files.create(file=("y.jsonl", content), purpose="batch")
    ascending = [each.id for each in openai.files.list(limit=1, order="asc", purpose="batch")]
    assert ascending.index(sent.id) < ascending.index(second.id)
    assert openai.files.delete(sent.id).deleted
    for look in (openai.files.retrieve, openai.files.content, openai.files.delete):
        with pytest.raises(sdk.NotFoundError):
            look(sent.id)


def test_nobody_sees_another_project_s_files_or_batches(
    service: Service, openai: OpenAI, begin: Begin, charlie: Person, marker: str
) -> None:
    batch = begin(line("a", f"[[say: secret]] {marker}"))
    done = ended(openai, batch)
    with OpenAI(base_url=f"{service.url}/v1", api_key=charlie.key, max_retries=0) as other:
        for look, name in (
            (other.files.retrieve, batch.input_file_id),
            (other.files.content, done.output_file_id),
            (other.batches.retrieve, batch.id),
            (other.batches.cancel, batch.id),
        ):
            assert name
            with pytest.raises(sdk.NotFoundError):
                look(name)
        assert batch.id not in [each.id for each in other.batches.list()]
        with pytest.raises(sdk.NotFoundError):
            other.batches.create(input_file_id=batch.input_file_id, endpoint=ENDPOINT, completion_window="24h")


@pytest.mark.parametrize(
    ("change", "param"),
    [({"endpoint": "/v1/embeddings"}, "endpoint"), ({"completion_window": "1h"}, "completion_window")],
)
def test_what_cannot_be_honoured_is_named(openai: OpenAI, change: dict[str, Any], param: str) -> None:
    facts = {"input_file_id": "file-x", "endpoint": ENDPOINT, "completion_window": "24h"}
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.batches.create(**{**facts, **change})
    assert caught.value.param == param


def test_a_file_that_is_too_large_is_refused(openai: OpenAI) -> None:
    with pytest.raises(sdk.APIStatusError) as caught:
        openai.files.create(file=("big.jsonl", b"x" * (files.MAX_BYTES + 1)), purpose="batch")
    assert caught.value.status_code == 413


def test_a_form_without_what_it_needs_says_so(openai: OpenAI, alice: Person) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.files.create(file=("x.jsonl", b"{}"), purpose="fine-tune")
    assert caught.value.param == "purpose"
    assert alice.http.post("/v1/files", {"purpose": "batch"}).status == 415
