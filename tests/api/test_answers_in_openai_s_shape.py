import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from apps.api.openai.answers import DONE, Chunks, completion
from apps.api.problems import Problem

JOB: dict[str, Any] = {
    "id": "job_0123456789abcdef0123456789abcdef",
    "model": "claude-sonnet-5-5",
    "result": "Hello.",
    "stop_reason": "end_turn",
    "cost_usd": 0.00125,
    "usage": {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "total_tokens": 132,
    },
}


def chunks(*, include_usage: bool = False) -> Chunks:
    return Chunks(JOB["id"], JOB["model"], 1_700_000_000, include_usage)


def parsed(written: bytes) -> list[Any]:
    lines = [line for line in written.decode().split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def test_a_completion_is_what_the_sdk_expects() -> None:
    answer = ChatCompletion.model_validate(completion(JOB, created=1_700_000_000), strict=True)
    assert answer.id == "chatcmpl-0123456789abcdef0123456789abcdef"
    assert answer.choices[0].message.content == "Hello."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.created == 1_700_000_000


def test_the_prompt_is_all_that_was_read() -> None:
    answer = completion(JOB, created=0)
    assert answer["usage"]["prompt_tokens"] == 5 + 100 + 20
    assert answer["usage"]["completion_tokens"] == 7
    assert answer["usage"]["total_tokens"] == 132
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 100


def test_what_openai_has_no_field_for_stands_apart() -> None:
    answer = completion(JOB, created=0)
    assert answer["x_claude"] == {
        "job_id": JOB["id"],
        "model": "claude-sonnet-5-5",
        "routed_from": None,
        "route": None,
        "cost_usd": 0.00125,
        "stop_reason": "end_turn",
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
    }


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        (None, "stop"),
        ("something_new", "stop"),
    ],
)
def test_every_end_has_openai_s_word(stop_reason: str | None, finish_reason: str) -> None:
    assert completion({**JOB, "stop_reason": stop_reason}, created=0)["choices"][0]["finish_reason"] == finish_reason


def test_a_stream_begins_with_the_role_and_ends_with_done() -> None:
    stream = chunks()
    written = stream.first() + stream.texts(["Hel", "lo."]) + stream.last(JOB)
    assert written.endswith(DONE)
    first, *pieces, last = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in parsed(written)]
    assert first.choices[0].delta.role == "assistant"
    assert [piece.choices[0].delta.content for piece in pieces] == ["Hel", "lo."]
    assert last.choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in (first, *pieces, last)} == {"chatcmpl-0123456789abcdef0123456789abcdef"}


def test_without_being_asked_no_chunk_speaks_of_usage() -> None:
    stream = chunks()
    assert b'"usage"' not in stream.first() + stream.texts(["x"]) + stream.last(JOB)


def test_asked_for_usage_every_chunk_has_the_field_and_one_more_has_the_figures() -> None:
    stream = chunks(include_usage=True)
    *others, usage = parsed(stream.first() + stream.texts(["x"]) + stream.last(JOB))
    assert [chunk["usage"] for chunk in others] == [None, None, None]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 132


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x1a", "日本語", "😀", "\u2028", "data: [DONE]\n\n", "\ud83d", ""])
def test_any_text_survives_its_chunk(text: str) -> None:
    [chunk] = parsed(chunks().texts([text]))
    assert chunk["choices"][0]["delta"]["content"] == text


def test_a_failure_midway_is_an_error_chunk_and_the_end() -> None:
    written = chunks().failed(Problem(529, "Overloaded.", "overloaded"))
    assert written.endswith(DONE)
    assert parsed(written) == [
        {"error": {"message": "Overloaded.", "type": "server_error", "param": None, "code": "overloaded"}}
    ]
