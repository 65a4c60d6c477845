import itertools
import json
from typing import Any

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from tests.claude.conftest import ask, requests, without_marks


def test_each_turn_is_an_exact_prefix_of_the_next(engine: Engine, model: ScriptedModel, marker: str) -> None:
    conversation = [f"first {marker}"]
    for turn in range(5):
        outcome = ask(engine, *conversation, system="You remember.")
        assert outcome.status == "completed"
        conversation += [outcome.text, f"question {turn}"]
    assert len({json.dumps(body["system"]) for body in requests(model, marker)}) == 1, "the system blocks never change"
    sent = [without_marks(body["messages"]) for body in requests(model, marker)]
    assert len(sent) == 5
    for earlier, later in itertools.pairwise(sent):
        assert later[: len(earlier)] == earlier
        assert [message["role"] for message in later if message["role"] != "system"] == _alternating(later)


def test_the_cache_marks_stand_on_the_system_prompt_and_the_last_message(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    assert ask(engine, f"one {marker}", "two", "three", system="You remember.").status == "completed"
    (body,) = requests(model, marker)
    marked = [block["text"] for message in body["messages"] for block in message["content"] if "cache_control" in block]
    assert marked == ["three"]
    assert "cache_control" in body["system"][-1]


def test_the_second_turn_reads_the_first_from_the_cache(engine: Engine, model: ScriptedModel, marker: str) -> None:
    first = ask(engine, f"{marker} " + "words " * 400, system="You remember.")
    second = ask(engine, f"{marker} " + "words " * 400, first.text, "and now?", system="You remember.")
    assert first.usage.cache_read_input_tokens < 100
    assert second.usage.cache_read_input_tokens >= first.usage.cache_creation_input_tokens > 300


def test_a_long_history_arrives_in_order(engine: Engine, model: ScriptedModel, marker: str) -> None:
    texts = [f"{marker} {n}" for n in range(199)]
    assert ask(engine, *texts).status == "completed"
    (body,) = requests(model, marker)
    assert [block["text"] for message in body["messages"] for block in message["content"]] == texts


def _alternating(messages: list[dict[str, Any]]) -> list[str]:
    spoken = [message for message in messages if message["role"] != "system"]
    return [("user", "assistant")[n % 2] for n in range(len(spoken))]
