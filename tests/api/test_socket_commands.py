import json
from typing import Any

import pytest

from apps.api.websocket.commands import Auth, BadCommand, Cancel, Chat, Follow, parse
from apps.api.websocket.origins import is_allowed

HI = [{"role": "user", "content": "Hi"}]


def command(**message: Any) -> tuple[Any, Any]:
    return parse(json.dumps(message), default_model="haiku")


def refused(frame: str | bytes) -> BadCommand:
    with pytest.raises(BadCommand) as caught:
        parse(frame, default_model="haiku")
    return caught.value


def test_a_chat_is_read_like_one_over_http() -> None:
    said, client_id = command(type="chat", model="sonnet", messages=HI, max_tokens=5, id="q1")
    assert isinstance(said, Chat)
    assert said.reading.chat.model == "claude-sonnet-5-5"
    assert said.reading.chat.max_tokens == 5
    assert client_id == "q1"


def test_stream_is_understood_and_means_nothing_here() -> None:
    said, _ = command(type="chat", messages=HI, stream=True, stream_options={"include_usage": True})
    assert isinstance(said, Chat)


def test_the_other_commands() -> None:
    assert command(type="auth", api_key="k") == (Auth("k"), None)
    assert command(type="follow", job_id="job_1", starting_after=5, id=7) == (Follow("job_1", 5), 7)
    assert command(type="follow", job_id="job_1") == (Follow("job_1", 0), None)
    assert command(type="cancel", job_id="job_1") == (Cancel("job_1"), None)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "hello",
        "[]",
        "null",
        '{"type": "dance"}',
        '{"type": "follow"}',
        '{"type": "follow", "job_id": 5}',
        '{"type": "follow", "job_id": "j", "starting_after": -1}',
        '{"type": "auth", "api_key": null}',
        '{"type": "chat", "messages": []}',
        '{"type": "chat", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}',
        b"\xff\xfe",
        "[" * 100_000,
        '{"type": "cancel", "job_id": "\\ud800"}',
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason(frame: str | bytes) -> None:
    assert refused(frame).problem.message


def test_a_refusal_keeps_the_client_s_id() -> None:
    assert refused('{"type": "dance", "id": "q9"}').client_id == "q9"


@pytest.mark.parametrize("client_id", [True, 1.5, {}, [], "x" * 129])
def test_an_id_is_a_short_string_or_a_number(client_id: Any) -> None:
    assert refused(json.dumps({"type": "cancel", "job_id": "j", "id": client_id})).problem.param == "id"


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8006", "localhost:8006", True),
        ("https://claude.example.org", "claude.example.org", True),
        ("https://CLAUDE.example.org", "claude.example.org", True),
        ("https://trusted.example", "claude.example.org", True),
        ("http://trusted.example", "claude.example.org", False),
        ("http://evil.example", "localhost:8006", False),
        ("http://localhost:8007", "localhost:8006", False),
        ("null", "localhost:8006", False),
        ("file://", "", False),
        ("http://", "", False),
        ("http://localhost:8006.evil.example", "localhost:8006", False),
    ],
)
def test_pages_of_our_own_host_and_trusted_ones_may_open_a_socket(
    origin: str, host: str, allowed: bool, settings: Any
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    assert is_allowed(origin, host=host) is allowed
