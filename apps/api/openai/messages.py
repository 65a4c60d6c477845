"""OpenAI messages as a system prompt and turns. Pure."""

from typing import Any, Literal

from apps.api.openai.content import MAX_IMAGES, Block, blocks
from apps.api.openai.fields import unsupported, wrong_type, wrong_value
from apps.claude.spec import Turn

MAX_MESSAGES = 2000
_TOOLS = "Function calling is not supported yet"
_KNOWN = {
    "role", "content", "name", "refusal", "audio", "annotations", "reasoning_content",
    "tool_calls", "tool_call_id", "function_call",
}  # fmt: skip
"""Clients put our own answers' messages back into the conversation as they are, with every field of them."""


def conversation(value: Any) -> tuple[str, tuple[Turn, ...], set[str]]:
    """The system prompt, the turns, and the paths of fields that were ignored.

    `system` and `developer` messages form the system prompt, joined by a blank line; neighbours of one role become one
    turn, as the upstream would see them anyway. The first and the last turn are the user's.
    """
    if not isinstance(value, list):
        raise wrong_type("messages", "a list of messages")
    if not 1 <= len(value) <= MAX_MESSAGES:
        raise wrong_value("messages", f"'messages' takes 1 to {MAX_MESSAGES} messages, not {len(value)}.")
    system: list[str] = []
    turns: list[tuple[Literal["user", "assistant"], list[Block]]] = []
    ignored: set[str] = set()
    for index, message in enumerate(value):
        role, content = _message(message, f"messages[{index}]", ignored)
        if role == "system":
            system.extend(block["text"] for block in content)
        elif content:
            if turns and turns[-1][0] == role:
                turns[-1][1].extend(content)
            else:
                turns.append((role, content))
    _check(turns, len(value))
    return "\n\n".join(system), tuple(Turn(role, tuple(content)) for role, content in turns), ignored


def _message(message: Any, at: str, ignored: set[str]) -> tuple[Literal["system", "user", "assistant"], list[Block]]:
    if not isinstance(message, dict):
        raise wrong_type(at, "an object")
    for name in [name for name, said in message.items() if name not in _KNOWN and said]:
        raise unsupported(f"{at}.{name}", f"Messages have no field '{name}' here.")
    if message.get("name") is not None:
        ignored.add("messages[].name")
    content = message.get("content")
    match message.get("role"):
        case "system" | "developer":
            return "system", list(blocks(content, param=f"{at}.content", images=False))
        case "user":
            found = list(blocks(content, param=f"{at}.content", images=True))
            if not found:
                raise wrong_value(f"{at}.content", "A user message must say something: its content is empty.")
            return "user", found
        case "assistant":
            return "assistant", _assistant(message, at)
        case "tool" | "function":
            raise unsupported(f"{at}.role", f"{_TOOLS}: there can be no message of role '{message['role']}'.")
        case _:
            raise wrong_value(f"{at}.role", "A message's role is system, developer, user or assistant.")


def _assistant(message: dict[str, Any], at: str) -> list[Block]:
    for name in ("tool_calls", "function_call"):
        if message.get(name):
            raise unsupported(f"{at}.{name}", f"{_TOOLS}: send the conversation without '{name}'.")
    if message.get("audio"):
        raise unsupported(f"{at}.audio", "Audio is not supported.")
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    return list(blocks(content, param=f"{at}.content", images=False))


def _check(turns: list[tuple[Literal["user", "assistant"], list[Block]]], count: int) -> None:
    if not turns:
        raise wrong_value("messages", "There is no user message to answer.")
    if turns[0][0] == "assistant":
        raise wrong_value("messages", "A conversation begins with a user message, not with the assistant's.")
    if turns[-1][0] == "assistant":
        message = (
            "The last message must be the user's: Claude cannot be made to continue an assistant message (prefill)."
        )
        raise unsupported(f"messages[{count - 1}]", message)
    if sum(block["type"] == "image" for _, content in turns for block in content) > MAX_IMAGES:
        raise wrong_value("messages", f"A conversation takes at most {MAX_IMAGES} images.")
