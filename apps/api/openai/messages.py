"""OpenAI messages as a system prompt and turns. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.api.openai import calls
from apps.api.openai.content import MAX_IMAGES, NO_MEDIA, Block, Media, blocks
from apps.api.openai.fields import unsupported, wrong_type, wrong_value
from apps.claude.spec import Turn

MAX_MESSAGES = 2000
_KNOWN = {
    "role", "content", "name", "refusal", "audio", "annotations", "reasoning_content",
    "tool_calls", "tool_call_id", "function_call", "is_error",
}  # fmt: skip
"""Clients put our own answers' messages back into the conversation as they are, with every field of them."""


def conversation(
    value: Any, media: Media | None = None, earlier: Sequence[Turn] = ()
) -> tuple[str, tuple[Turn, ...], set[str]]:
    """The system prompt, the turns behind `earlier` ones, and the paths of fields that were ignored.

    `system` and `developer` messages form the system prompt, joined by a blank line; neighbours of one role become one
    turn, as the upstream would see them anyway. The first and the last turn are the user's.
    """
    if not isinstance(value, list):
        raise wrong_type("messages", "a list of messages")
    if not 1 <= len(value) <= MAX_MESSAGES:
        raise wrong_value("messages", f"'messages' takes 1 to {MAX_MESSAGES} messages, not {len(value)}.")
    talk = _Talk(media or Media())
    talk.go_on_from(earlier)
    for index, message in enumerate(value):
        talk.add(message, f"messages[{index}]", last=index == len(value) - 1)
    talk.check(len(value))
    return "\n\n".join(talk.system), tuple(Turn(role, tuple(said)) for role, said in talk.turns), talk.ignored


@dataclass(slots=True)
class _Talk:
    """The conversation so far."""

    media: Media
    system: list[str] = field(default_factory=list)
    turns: list[tuple[Literal["user", "assistant"], list[Block]]] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    _open_calls: dict[str, str] = field(default_factory=dict)
    """Calls that wait for their results: the id as the upstream has it, and as the client wrote it."""
    _calls_at: str = ""

    def go_on_from(self, earlier: Sequence[Turn]) -> None:
        """Take what was said before; results of its last calls may follow."""
        self.turns.extend((turn.role, list(turn.content)) for turn in earlier)
        if earlier:
            called = [block["id"] for block in earlier[-1].content if block["type"] == "tool_use"]
            self._open_calls = {call_id: call_id for call_id in called}
            self._calls_at = "messages[0]"

    def add(self, message: Any, at: str, *, last: bool) -> None:
        """Take the next message."""
        if not isinstance(message, dict):
            raise wrong_type(at, "an object")
        for name in [name for name, said in message.items() if name not in _KNOWN and said]:
            raise unsupported(f"{at}.{name}", f"Messages have no field '{name}' here.")
        if message.get("name") is not None:
            self.ignored.add("messages[].name")
        content = message.get("content")
        match message.get("role"):
            case "system" | "developer":
                self.system.extend(block["text"] for block in blocks(content, param=f"{at}.content", media=NO_MEDIA))
            case "user":
                self._user(content, at, last)
            case "assistant":
                self._assistant(message, at)
            case "tool":
                self._result(message, at)
            case "function":
                raise unsupported(f"{at}.role", "Messages of role 'function' are OpenAI's former way; send 'tool'.")
            case _:
                raise wrong_value(f"{at}.role", "A message's role is system, developer, user, assistant or tool.")

    def check(self, count: int) -> None:
        """Raise what is wrong with the whole."""
        turns = self.turns
        self._no_open_calls()
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

    def _user(self, content: Any, at: str, last: bool) -> None:
        """An empty message says nothing and is left out, but something has to be said in the end."""
        self._no_open_calls()
        found = list(blocks("" if content is None else content, param=f"{at}.content", media=self.media))
        if not found and last:
            raise wrong_value(f"{at}.content", "A user message must say something: its content is empty.")
        self._say("user", found)

    def _assistant(self, message: dict[str, Any], at: str) -> None:
        self._no_open_calls()
        if message.get("audio"):
            raise unsupported(f"{at}.audio", "Audio is not supported.")
        content = message.get("content")
        if content is None:
            content = message.get("refusal") or ""
        called = calls.calls(message, at)
        self._say("assistant", [*blocks(content, param=f"{at}.content", media=NO_MEDIA), *called])
        self._calls_at = f"{at}.tool_calls"
        self._open_calls = {
            block["id"]: call["id"] for block, call in zip(called, message.get("tool_calls") or (), strict=True)
        }

    def _result(self, message: dict[str, Any], at: str) -> None:
        block = calls.result(message, at, self.media)
        if self._open_calls.pop(block["tool_use_id"], None) is None:
            raise wrong_value(
                f"{at}.tool_call_id",
                "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
            )
        self._say("user", [block])

    def _no_open_calls(self) -> None:
        if self._open_calls:
            missing = ", ".join(self._open_calls.values())
            message = "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            raise wrong_value(self._calls_at, f"{message}'tool_call_id'. Without a response: {missing}.")

    def _say(self, role: Literal["user", "assistant"], content: list[Block]) -> None:
        if content and self.turns and self.turns[-1][0] == role:
            self.turns[-1][1].extend(content)
        elif content:
            self.turns.append((role, content))
