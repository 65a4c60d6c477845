"""What the router is told about a request. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request as far as the choice of a model goes."""

    text: str
    """The newest user message, or the description of a task."""
    context_chars: int = 0
    """System prompt and earlier turns."""
    earlier_turns: int = 0
    tools: int = 0
    """Tools, agents and skills that may be used; a client's own functions count too."""
    images: int = 0
    task: bool = False
    """Whether it is work with tools rather than an answer."""
    structured: bool = False
    """Whether the answer has to keep to a schema."""
    conversation: str = ""
    """What identifies its conversation within its project; the follow-ups of one have the same. Empty: it has none."""

    follows: bool = False
    """Whether it may go on with a conversation that has a tier already."""

    @property
    def prompt_chars(self) -> int:
        """All that the model reads."""
        return len(self.text) + self.context_chars
