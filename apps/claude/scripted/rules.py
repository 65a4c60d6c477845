"""The Messages API's rules about tools and thinking: a request that it would refuse is refused here too. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.claude import catalog


def broken(body: Mapping[str, object]) -> str | None:
    """The first rule that the request breaks, in the API's manner; None where it keeps them all."""
    return _thinking(body) or _choice(body) or _pairs(body.get("messages"))


def _thinking(body: Mapping[str, object]) -> str | None:
    thinking, maximum = body.get("thinking"), body.get("max_tokens")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return None
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1024:
        return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if isinstance(maximum, int) and budget >= maximum:
        return "`max_tokens` must be greater than `thinking.budget_tokens`"
    return None


def _choice(body: Mapping[str, object]) -> str | None:
    choice, thinking = body.get("tool_choice"), body.get("thinking")
    if not isinstance(choice, dict):
        return None
    if not body.get("tools"):
        return "tool_choice may only be specified while providing tools"
    known = catalog.find(str(body.get("model")))
    thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
    if choice.get("type") in ("any", "tool") and (thinks or (known and known.always_thinks)):
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _pairs(messages: object) -> str | None:
    """Every call is answered in the next message, and every result there answers a call."""
    listed = messages if isinstance(messages, list) else []
    spoken = [message for message in listed if isinstance(message, dict) and message.get("role") != "system"]
    for index, message in enumerate(spoken):
        called = set(_ids(message, "tool_use", "id"))
        following = spoken[index + 1] if index + 1 < len(spoken) else {}
        if missing := called - set(_ids(following, "tool_result", "tool_use_id")):
            return (
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(missing))}."
            )
        before = spoken[index - 1] if index else {}
        if unknown := set(_ids(message, "tool_result", "tool_use_id")) - set(_ids(before, "tool_use", "id")):
            return f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {sorted(unknown)[0]}."
    return None


def _ids(message: Mapping[str, Any], kind: str, name: str) -> Iterable[str]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return [str(block.get(name)) for block in blocks if isinstance(block, dict) and block.get("type") == kind]
