"""An agentic task as it is asked for: with tools, agents and skills, in a workspace of its own."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from apps.claude.spec import Content
from apps.claude.taskspec import File
from apps.jobs.requests import names
from apps.permissions.policy import Ask
from apps.routing.question import Question

HARMLESS_TOOLS = ("Read", "Glob", "Grep")
"""What a task that names no tools gets of them, as far as its profile allows them: looking at its own workspace."""
_ANSWER_TOKENS = 16_384
"""What a task is reckoned with in a budget of tokens before it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A task, translated from whatever wire it came over and already checked."""

    kind: ClassVar[str] = "task"
    model: str
    """Full model id."""
    requested_model: str
    prompt: Content
    system: str = ""
    tools: tuple[str, ...] | None = None
    """None: HARMLESS_TOOLS, as far as they are allowed. Empty: none at all."""
    agents: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    agent_models: tuple[str, ...] = ()
    """Full ids that its agents name for themselves and its key may use; found when it is submitted."""
    max_seconds: float | None = None
    max_cost_microusd: int | None = None
    max_turns: int | None = None
    session_id: str = ""
    """One that exists, to be continued; empty for a new one."""
    output_schema: dict[str, Any] | None = None
    files: tuple[File, ...] = ()
    webhook_url: str = ""
    user: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def ask(self) -> Ask:
        """Everything it names, and its wishes."""
        return Ask(
            model=names(self.model),
            tools=self.tools or (),
            agents=self.agents,
            skills=self.skills,
            max_cost_microusd=self.max_cost_microusd,
            max_seconds=self.max_seconds,
            max_turns=self.max_turns,
        )

    def answer_tokens(self) -> int:
        """What a task usually writes."""
        return _ANSWER_TOKENS

    def wanted_tokens(self) -> int | None:
        """A task has no such limit."""
        return None

    def question(self) -> Question:
        """What is to be done, and with how much."""
        texts = [str(block["text"]) for block in self.prompt if block.get("type") == "text"]
        return Question(
            text="\n".join(texts),
            context_chars=len(self.system),
            tools=len(self.tools if self.tools is not None else HARMLESS_TOOLS) + len(self.agents) + len(self.skills),
            images=sum(block.get("type") == "image" for block in self.prompt),
            task=True,
            structured=self.output_schema is not None,
            conversation=self.session_id,
            follows=bool(self.session_id),
        )

    def answered_by(self, model: str) -> Self:
        """The same task for that model."""
        return replace(self, model=model)

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values; `from_json` reads it back."""
        files = [{"name": each.name, "content": base64.b64encode(each.content).decode()} for each in self.files]
        return {
            "model": self.model,
            "requested_model": self.requested_model,
            "prompt": list(self.prompt),
            "system": self.system,
            "tools": None if self.tools is None else list(self.tools),
            "agents": list(self.agents),
            "skills": list(self.skills),
            "agent_models": list(self.agent_models),
            "max_seconds": self.max_seconds,
            "max_cost_microusd": self.max_cost_microusd,
            "max_turns": self.max_turns,
            "session_id": self.session_id,
            "output_schema": self.output_schema,
            "files": files,
            "webhook_url": self.webhook_url,
            "user": self.user,
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The request that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        files = tuple(File(name=each["name"], content=base64.b64decode(each["content"])) for each in data["files"])
        lists = {name: tuple(data[name]) for name in ("prompt", "agents", "skills", "agent_models")}
        tools = None if data["tools"] is None else tuple(data["tools"])
        return cls(**{**data, **lists, "tools": tools, "files": files})
