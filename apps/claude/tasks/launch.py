"""How a task's CLI is started: exactly the granted tools, no settings, no prompts, nothing of our environment.

`Shape` is what a CLI has to be told at its start; everything else is told when the task comes (`initialize`), so that a
prepared process can wait for any task of its shape.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.claude import jail as walls
from apps.claude.launch import SOCKET_NAME, Launch, environment
from apps.claude.network import servers
from apps.claude.network.line import Line
from apps.claude.tasks import gate
from apps.claude.tasks.room import PLUGIN_INSIDE, Room
from apps.claude.taskspec import Agent, Skill, TaskSpec

_TMPFS_BYTES = 256 << 20
_DENIED = ("Agent(fork)", *(f"Skill({name})" for name in gate.BUILT_IN_SKILLS))
_BASH_DEFAULT_SECONDS, _BASH_MAX_SECONDS = 120, 600
_MAX_OUTPUT_TOKENS = 32_000
"""Of one answer. The worst case is set aside before each call, so a higher one would tie up more of the cap."""
_SETTINGS = {"disableSkillShellExecution": True}
_WEB_SETTINGS = {"skipWebFetchPreflight": True}
"""WebFetch would ask the vendor about each domain, with nobody's credential."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the kernel lets one task have."""

    processes: int = 400
    """Threads count too; the CLI itself has about thirty."""
    file_bytes: int = 256 << 20
    open_files: int = 4_096


@dataclass(frozen=True, slots=True)
class Shape:
    """What has to be known when a task's CLI is started."""

    model: str
    tools: tuple[str, ...]
    skills: tuple[str, ...]
    max_turns: int | None
    mcp_servers: str
    """As the operator has them, as JSON; what a jail is told of them is less."""
    trusted_skills: bool
    own_models: bool
    """Whether subagents may use another model than the task's; the egress knows which."""
    resume: str | None = None

    @classmethod
    def of(cls, spec: TaskSpec, resume: str | None = None) -> "Shape":
        """The shape of a task. Raises ValueError where a name is none."""
        configs = json.dumps(dict(spec.mcp_servers), sort_keys=True) if spec.mcp_servers else ""
        trusted = any(skill.trusted for skill in spec.skills)
        skills = tuple(_edition(skill) for skill in spec.skills)
        return cls(
            spec.model, gate.tool_names(spec), skills, spec.max_turns, configs, trusted, bool(spec.models), resume
        )

    @property
    def uses_web(self) -> bool:
        """Whether a tool of the task connects to the web."""
        return "WebFetch" in self.tools

    @property
    def remotes(self) -> tuple[servers.Remote, ...]:
        """The operator's MCP servers that are reached over HTTP."""
        return servers.remotes(json.loads(self.mcp_servers), self.tools) if self.mcp_servers else ()


def _edition(skill: Skill) -> str:
    """Tells a skill from what it was before it was edited. Raises OSError."""
    facts = (skill.directory / "SKILL.md").stat()
    return json.dumps(
        [skill.name, skill.description, skill.trusted, str(skill.directory), facts.st_mtime_ns, facts.st_size]
    )


def launch(
    *, cli: Path, jail: walls.Jail, lane: Path, room: Room, shape: Shape, limits: Limits, line: Line | None = None
) -> Launch:
    """The launch of a task's CLI in this room, on this lane, with this way to the network, if any."""
    clean = environment(home=walls.HOME_INSIDE, tmp="/tmp", socket=f"{walls.EGRESS_INSIDE}/{SOCKET_NAME}")
    del clean["DISABLE_AUTO_COMPACT"]  # a long task has to be able to make room in its context
    clean |= _TASK_ENVIRONMENT | (line.environment() if line else {})
    if not shape.own_models:
        clean["CLAUDE_CODE_SUBAGENT_MODEL_FORCE"] = "1"
    inside = jail.arguments(cli=cli, lane=lane, environment=clean, mounts=room.mounts(), tmpfs_bytes=_TMPFS_BYTES)
    inside.append("--as-pid-1")
    argv = (*in_jail(limits, line.first_command() if line else ""), walls.CLI_INSIDE, *_arguments(shape))
    outside = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    return Launch(argv, outside, Path("/"), tuple(inside), jail, room.uid or walls.JAIL_UID)


_TASK_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(_MAX_OUTPUT_TOKENS),
    "CLAUDE_CODE_SUBAGENT_MODEL": "inherit",
    "CLAUDE_CODE_MAX_SUBAGENT_SPAWN_DEPTH": "1",
    "BASH_DEFAULT_TIMEOUT_MS": str(_BASH_DEFAULT_SECONDS * 1000),
    "BASH_MAX_TIMEOUT_MS": str(_BASH_MAX_SECONDS * 1000),
}


_FIRST_PROCESS = 'exec 3<&0; "$@" <&3 3<&- & exec </dev/null >/dev/null 2>&1 3<&-; wait'
"""The jail's process 1: it starts the CLI, lets go of its pipes, reaps what daemons leave, and ends with the CLI. If it
were bubblewrap, which cannot be unreadable, code in the jail could write the CLI's results through /proc/1/fd/1."""


def in_jail(limits: Limits, first: str = "") -> tuple[str, ...]:
    """What stands before a command in a jail: process 1, what it does first, and the kernel's limits, for it alone."""
    script = first + _FIRST_PROCESS
    return (
        *("/bin/sh", "-c", script, "init", "/usr/bin/prlimit", "--core=0", f"--nproc={limits.processes}"),
        *(f"--fsize={limits.file_bytes}", f"--nofile={limits.open_files}", "--"),
    )


def _arguments(shape: Shape) -> tuple[str, ...]:
    built_in = [name for name in shape.tools if not name.startswith("mcp__")]
    settings = ({} if shape.trusted_skills else _SETTINGS) | (_WEB_SETTINGS if shape.uses_web else {})
    arguments = [
        *("-p", "--input-format", "stream-json", "--output-format", "stream-json"),
        *("--verbose", "--include-partial-messages"),
        *("--restricted", "--setting-sources", "", "--strict-mcp-config"),
        *("--permission-mode", gate.PERMISSION_MODE, "--permission-prompts", "none"),
        *("--settings", json.dumps(settings), "--model", shape.model),
        *("--tools", ",".join(built_in), "--disallowedTools", ",".join(_DENIED)),
    ]
    if shape.tools:
        arguments += ["--allowedTools", ",".join(shape.tools)]
    if shape.skills:
        # A skill's own files are read with the file tools, which --restricted keeps in the workspace otherwise.
        arguments += ["--plugin-dir", PLUGIN_INSIDE, "--add-dir", f"{PLUGIN_INSIDE}/skills"]
    if shape.mcp_servers:
        arguments += ["--mcp-config", servers.inside(json.loads(shape.mcp_servers))]
    if shape.max_turns is not None:
        arguments += ["--max-turns", str(shape.max_turns)]
    if shape.resume is not None:
        arguments += [f"--resume={shape.resume}"]
    return tuple(arguments)


def _agent(agent: Agent, *, own_model: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": agent.description,
        "prompt": agent.prompt,
        "tools": list(agent.tools),
    }
    if own_model and agent.model:
        told["model"] = agent.model
    return told


def initialize(spec: TaskSpec) -> dict[str, Any]:
    """What is told when the task comes: subagents, system prompt, schema, and that we are asked before each call."""
    waits = round(spec.approval_seconds) + 60
    hook = {"matcher": None, "hookCallbackIds": ["gate"], "timeout": waits, "onFailure": "block"}
    told: dict[str, Any] = {"hooks": {"PreToolUse": [hook]}}
    if spec.agents:
        told["agents"] = {agent.name: _agent(agent, own_model=bool(spec.models)) for agent in spec.agents}
    if spec.system:
        told["appendSystemPrompt"] = spec.system
    if spec.output_schema is not None:
        told["jsonSchema"] = spec.output_schema
    return told
