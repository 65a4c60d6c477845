"""The wall behind the rewind: if a live process were not empty, its request would not leave."""

from typing import Any

import pytest

from apps.claude.compose import Mismatch, chat_request
from apps.claude.launch import SYSTEM_PLACEHOLDER
from apps.claude.live import LiveProcess
from apps.claude.scripted.server import ScriptedModel
from tests.claude.conftest import SONNET, ask, running_engine, spec

SECRET = "the other conversation's secret"


def said(*texts: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": [{"type": "text", "text": text}]} for n, text in enumerate(texts)]


def request(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    system = [{"type": "text", "text": SYSTEM_PLACEHOLDER}]
    return {"model": SONNET, "max_tokens": 100, "system": system, "messages": messages, **more}


def test_what_the_cli_should_ask_is_taken() -> None:
    assert chat_request(request(said("hello")), spec("hello"))["messages"][0]["content"][0]["text"] == "hello"


@pytest.mark.parametrize(
    "asked",
    [
        request(said(SECRET, "ok", "hello")),
        request(said(f"{SECRET} hello")),
        request([{"role": "user", "content": [*said(SECRET)[0]["content"], *said("hello")[0]["content"]]}]),
        request(said("hello"), tools=[{"name": "Bash"}]),
        request(said("hello"), mcp_servers=[{"url": "https://example.org"}]),
        request(said("hello")) | {"model": "claude-opus-5-5"},
        request(said("hello")) | {"system": [{"type": "text", "text": SECRET}]},
        request([]),
    ],
)
def test_everything_else_is_not(asked: dict[str, Any]) -> None:
    with pytest.raises(Mismatch):
        chat_request(asked, spec("hello"))


def test_a_process_whose_rewind_only_claims_to_work_leaks_nothing(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_engine(model) as engine:
        assert ask(engine, "hello").status == "completed"

        async def claims(live: LiveProcess) -> bool:
            live._asked = None
            return True

        monkeypatch.setattr(LiveProcess, "rewind", claims)
        assert ask(engine, SECRET).status == "completed"
        outcome = ask(engine, "an innocent question")
        assert outcome.error_code == "cli_error"
        assert "more than the newest message" in str(outcome.error_message)
    assert list(model.journal.entries(SECRET)), "it was asked once, by its own conversation"
    assert not list(model.journal.entries("an innocent question"))
