"""What the engine is told of an agentic task. Like a chat's `RunSpec`: fully decided, nothing is looked up after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.claude.spec import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A subagent that a task may start, already sanitised: nothing of its file but these fields reaches the CLI."""

    name: str
    description: str
    prompt: str
    tools: tuple[str, ...]
    """Those it may use, already cut to what the task was granted."""
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A skill that a task may use. Only this folder's files are mounted, with the front matter cut down."""

    name: str
    description: str
    directory: Path
    trusted: bool = False
    """Whether its body may run commands by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that a task finds in its workspace."""

    name: str
    """Relative path, already checked: no `..`, not absolute."""
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One agentic run, fully decided: what was granted is what is mounted and named here, and nothing else."""

    job_id: str
    project: str
    model: str
    """Full model id."""
    models: tuple[str, ...] = ()
    """Further full ids that the run's subagents may use."""
    prompt: Content
    system: str = ""
    """Appended to the CLI's own system prompt."""
    tools: tuple[str, ...]
    ask_tools: tuple[str, ...] = ()
    """Those whose every call waits for an approval."""
    agents: tuple[Agent, ...] = ()
    skills: tuple[Skill, ...] = ()
    mcp_servers: Mapping[str, Any] = field(default_factory=dict)
    """The operator's, by name, as the CLI's --mcp-config takes them."""
    files: tuple[File, ...] = ()
    output_schema: dict[str, Any] | None = None
    max_turns: int | None = None
    cap_microusd: int
    wall_seconds: float
    idle_seconds: float
    session_id: str | None = None
    """Ours; its conversation is continued when `session_dir` holds one, and kept there afterwards."""
    session_dir: Path | None = None
    artifacts_dir: Path | None = None
    """Where the files that the task leaves are copied to; None keeps none."""
    approval_seconds: float = 300.0
    """How long a call waits for an approval; then it is denied."""
