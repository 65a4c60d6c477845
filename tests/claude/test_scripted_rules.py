"""What the real API refuses about tools and thinking, the scripted one refuses: our own requests have to keep to it."""

from typing import Any

import pytest

from apps.claude.scripted.rules import broken

TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}
HI = {"role": "user", "content": "Hi"}


def request(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "claude-haiku-4-5", "max_tokens": 5_000, "messages": list(messages or (HI,)), **fields}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (request(tool_choice={"type": "any"}), "providing tools"),
        (request(tools=TOOLS, tool_choice={"type": "any"}, thinking={"type": "adaptive"}), "Thinking may not"),
        (
            request(tools=TOOLS, tool_choice={"type": "tool", "name": "f"}, model="claude-sonnet-5-5"),
            "Thinking may not",
        ),
        (request(thinking={"type": "enabled", "budget_tokens": 5_000}), "greater than"),
        (request(thinking={"type": "enabled", "budget_tokens": 100}), "1024"),
        (request(HI, CALL, HI), "without `tool_result`"),
        (request(HI, CALL), "without `tool_result`"),
        (request(HI, RESULT), "unexpected `tool_use_id`"),
    ],
)
def test_a_broken_rule_is_named(body: dict[str, Any], word: str) -> None:
    assert word in str(broken(body))


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(HI, CALL, RESULT),
        request(HI, CALL, {"role": "system", "content": []}, RESULT, tools=TOOLS, tool_choice={"type": "auto"}),
        request(tools=TOOLS, tool_choice={"type": "any"}, thinking={"type": "disabled"}),
        request(thinking={"type": "enabled", "budget_tokens": 4_999}),
    ],
)
def test_what_keeps_to_them_is_taken(body: dict[str, Any]) -> None:
    assert broken(body) is None
