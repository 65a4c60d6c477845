import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from apps.api.openai.answers import completion
from apps.api.openai.chunks import DONE, Chunks
from apps.api.problems import Problem
from apps.jobs.events import Event

JOB: dict[str, Any] = {
    "id": "job_0123456789abcdef0123456789abcdef",
    "model": "claude-sonnet-5-5",
    "result": "Hello.",
    "stop_reason": "end_turn",
    "cost_usd": 0.00125,
    "thinking_tokens": 3,
    "overhead_tokens": 16,
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


def said(*texts: str) -> list[Event]:
    return [Event(n, "token", {"text": text}) for n, text in enumerate(texts, 1)]


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
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3
    assert answer["usage"]["total_tokens"] == 132
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 100


def test_what_openai_has_no_field_for_stands_apart() -> None:
    answer = completion(JOB, created=0)
    assert answer["x_claude"] == {
        "job_id": JOB["id"],
        "model": "claude-sonnet-5-5",
        "session_id": None,
        "routed_from": None,
        "route": None,
        "cost_usd": 0.00125,
        "stop_reason": "end_turn",
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "overhead_tokens": 16,
    }


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "tool_calls"),
        (None, "stop"),
        ("something_new", "stop"),
    ],
)
def test_every_end_has_openai_s_word(stop_reason: str | None, finish_reason: str) -> None:
    assert completion({**JOB, "stop_reason": stop_reason}, created=0)["choices"][0]["finish_reason"] == finish_reason


def test_a_stream_begins_with_the_role_and_ends_with_done() -> None:
    stream = chunks()
    written = stream.first() + stream.events(said(*["Hel", "lo."])) + stream.last(JOB)
    assert written.endswith(DONE)
    first, *pieces, last = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in parsed(written)]
    assert first.choices[0].delta.role == "assistant"
    assert [piece.choices[0].delta.content for piece in pieces] == ["Hel", "lo."]
    assert last.choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in (first, *pieces, last)} == {"chatcmpl-0123456789abcdef0123456789abcdef"}


def test_without_being_asked_no_chunk_speaks_of_usage() -> None:
    stream = chunks()
    assert b'"usage"' not in stream.first() + stream.events(said(*["x"])) + stream.last(JOB)


def test_asked_for_usage_every_chunk_has_the_field_and_one_more_has_the_figures() -> None:
    stream = chunks(include_usage=True)
    *others, usage = parsed(stream.first() + stream.events(said(*["x"])) + stream.last(JOB))
    assert [chunk["usage"] for chunk in others] == [None, None, None]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 132


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x1a", "日本語", "😀", "\u2028", "data: [DONE]\n\n", "\ud83d", ""])
def test_any_text_survives_its_chunk(text: str) -> None:
    [chunk] = parsed(chunks().events(said(*[text])))
    assert chunk["choices"][0]["delta"]["content"] == text


def test_a_failure_midway_is_an_error_chunk_and_the_end() -> None:
    written = chunks().failed(Problem(529, "Overloaded.", "overloaded"))
    assert written.endswith(DONE)
    assert parsed(written) == [
        {"error": {"message": "Overloaded.", "type": "server_error", "param": None, "code": "overloaded"}}
    ]


CALLS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Which city?", "signature": "x"},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Łódź"}},
    {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
]


def test_calls_are_what_the_sdk_expects() -> None:
    job = {**JOB, "result": "", "content": CALLS, "stop_reason": "tool_use"}
    answer = ChatCompletion.model_validate(completion(job, created=0), strict=True)
    message = answer.choices[0].message
    assert (message.content, answer.choices[0].finish_reason) == (None, "tool_calls")
    assert message.tool_calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == [  # type: ignore[union-attr]
        ("toolu_1", "weather", '{"city":"Łódź"}'),
        ("toolu_2", "now", "{}"),
    ]
    assert "reasoning_content" not in completion(job, created=0)["choices"][0]["message"]


def test_thinking_is_told_where_it_is_asked_for() -> None:
    job = {**JOB, "content": [*CALLS[:1], {"type": "text", "text": "Hello."}]}
    message = completion(job, created=0, reasoning=True)["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("Which city?", "Hello.")


def test_arguments_that_were_cut_are_given_as_far_as_they_came() -> None:
    cut = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "unparsed": '{"a": "b'}
    message = completion({**JOB, "content": [cut], "stop_reason": "max_tokens"}, created=0)["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": "b'


def test_streamed_calls_have_their_place_and_complete_arguments() -> None:
    stream = chunks()
    told = [
        Event(1, "thinking", {"text": "Hm."}),
        *said("Let me see."),
        Event(3, "tool_use", {"id": "a", "name": "weather", "input": None}),
        Event(4, "tool_input", {"id": "a", "partial_json": '{"city":'}),
        Event(5, "tool_input", {"id": "a", "partial_json": '"Oslo"}'}),
        Event(6, "tool_use", {"id": "b", "name": "now", "input": None}),
        Event(7, "tool_use", {"id": "c", "name": "now", "input": None}),
    ]
    written = stream.events(told) + stream.last({**JOB, "stop_reason": "tool_use"})
    parts = [ChatCompletionChunk.model_validate(chunk, strict=True).choices[0] for chunk in parsed(written)]
    assert [part.delta.content for part in parts if part.delta.content] == ["Let me see."]
    arguments: dict[int, str] = {}
    for part in parts:
        for call in part.delta.tool_calls or ():
            assert call.function is not None
            assert (call.id is None) == (call.index in arguments), "id and name come once, first"
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert arguments == {0: '{"city":"Oslo"}', 1: "{}", 2: "{}"}
    assert parts[-1].finish_reason == "tool_calls"


def test_streamed_thinking_is_told_where_it_is_asked_for() -> None:
    thought = [Event(1, "thinking", {"text": "Hm."})]
    assert chunks().events(thought) == b""
    stream = Chunks(JOB["id"], JOB["model"], 0, include_reasoning=True)
    [chunk] = parsed(stream.events(thought))
    assert chunk["choices"][0]["delta"] == {"reasoning_content": "Hm."}
