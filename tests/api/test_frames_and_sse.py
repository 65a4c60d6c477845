import json
from typing import Any

import pytest

from apps.api import sse
from apps.api.frames import encoded, frame
from apps.jobs.events import Event

JOB: dict[str, object] = {
    "id": "job_1",
    "object": "job",
    "status": "completed",
    "result": "Hello.",
    "usage": {"output_tokens": 3},
    "cost_usd": 0.5,
    "error": None,
}


def test_a_token_says_what_where_and_which() -> None:
    told = frame(Event(7, "token", {"text": "Hi"}), "job_1")
    assert told == {"type": "token", "job_id": "job_1", "sequence_number": 7, "content": "Hi"}


@pytest.mark.parametrize("kind", ["token", "thinking", "started", "done"])
def test_what_is_sent_is_the_frame(kind: str) -> None:
    event = Event(7, kind, {"text": "日本"} if kind in ("token", "thinking") else JOB)
    assert json.loads(encoded(event, "job_1")) == frame(event, "job_1")


def test_the_same_number_of_two_jobs_is_two_tokens() -> None:
    one, other = (
        encoded(Event(1, "token", {"text": text}), job_id) for text, job_id in (("a", "job_1"), ("b", "job_2"))
    )
    assert json.loads(one)["content"] == "a"
    assert json.loads(other)["content"] == "b"


def test_thinking_looks_like_a_token() -> None:
    assert frame(Event(2, "thinking", {"text": "Hm."}), "job_1")["content"] == "Hm."


def test_started_names_the_model() -> None:
    assert frame(Event(1, "started", {"model": "m"}), "job_1") == {
        "type": "started",
        "job_id": "job_1",
        "sequence_number": 1,
        "model": "m",
    }


def test_done_carries_the_result_and_leaves_the_client_s_id_free() -> None:
    told = frame(Event(9, "done", JOB), "job_1")
    assert (told["result"], told["usage"], told["cost_usd"]) == ("Hello.", {"output_tokens": 3}, 0.5)
    assert "id" not in told
    assert "object" not in told


def test_an_error_has_the_same_code_as_over_http_and_the_bill() -> None:
    error: dict[str, Any] = {"code": "rate_limited", "message": "Slow down.", "upstream_status": 429}
    told = frame(Event(4, "error", {**JOB, "status": "failed", "error": error}), "job_1")
    assert (told["type"], told["code"], told["message"]) == ("error", "rate_limit_exceeded", "Slow down.")
    assert told["cost_usd"] == 0.5
    assert told["status"] == "failed"


def test_an_event_on_the_stream_is_three_lines() -> None:
    written = sse.event(type="token", data=b'{"content":"a\\nb"}', sequence_number=7).decode()
    assert written == 'id: 7\nevent: token\ndata: {"content":"a\\nb"}\n\n'


def test_what_is_no_event_of_the_job_has_no_id() -> None:
    assert sse.event(type="error", data=b"{}").startswith(b"event: error\n")


def test_no_text_can_forge_an_event() -> None:
    hostile = "x\n\nid: 99\nevent: done\ndata: {}\r\n\r\n\u2028"
    data = encoded(Event(1, "token", {"text": hostile}), "job_1")
    written = sse.event(type="token", data=data, sequence_number=1).decode()
    assert written.count("\n") == 4
    assert "\r" not in written
    assert json.loads(written.split("data: ", 1)[1])["content"] == hostile
