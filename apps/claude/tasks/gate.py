"""What a task may call, judged twice: what the CLI says it was started with, and each call before it runs. Pure.

Neither is the wall: that is what is mounted, `--tools`, and the egress. This finds a CLI that has changed, and tells
the model why it was refused.
"""

import re
from collections.abc import Iterable, Set

from apps.claude.tasks.frames import HookAsk, Init
from apps.claude.taskspec import TaskSpec

PLUGIN = "granted"
"""The generated plugin that carries a task's skills: they are called `granted:<name>`."""
PERMISSION_MODE = "dontAsk"
BUILT_IN_SKILLS = ("doctor", "plugin-authoring")
"""They survive every switch of the CLI, so they are denied by name."""
_BUILT_IN_PLUGINS = frozenset({"cc-plugin-agents-md", "cc-plugin-privacy", "cc-plugin-plugin-authoring"})
_BUILT_IN_COMMANDS = frozenset(
    {
        *("agents", "auto-mode-setup", "autocompact", "clear", "color", "compact", "config", "output-style", "context"),
        *("effort", "fast", "focus", "heapdump", "init", "mcp", "model", "__remote-workflow", "workflow-launch-exec"),
        *("reload-plugins", "reload-skills", "rename", "security-review", "usage", "insights", "recap", "goal"),
        *("list-agents", "team-onboarding"),
    }
)
"""Those of the CLI 2.1.330 under our flags. No prompt of a task can call them; more of them would be from files."""
_TOOL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")


def tool_names(spec: TaskSpec) -> tuple[str, ...]:
    """The granted tools by the CLI's own names. Raises ValueError for what is no plain name: it would become a rule."""
    names = tuple(dict.fromkeys("Agent" if name == "Task" else name for name in spec.tools))
    for name in names:
        if not _TOOL_NAME.fullmatch(name):
            raise ValueError(f"{name[:100]!r} is not the name of a tool")
    return names


def surplus(init: Init, spec: TaskSpec, version: str) -> tuple[str, ...]:
    """What the CLI has that was not granted, or that it is another than was proved (`version`).

    Anything here ends the task before its first call.
    """
    tools = {*tool_names(spec), *(("StructuredOutput",) if spec.output_schema is not None else ())}
    skills = {*BUILT_IN_SKILLS, *(f"{PLUGIN}:{skill.name}" for skill in spec.skills)}
    here = ("Agent" if name == "Task" else name for name in init.tools if not _of_server(name, spec))
    found = [
        *_beyond("tool", here, tools),
        *_beyond("agent", init.agents, {agent.name for agent in spec.agents}),
        *_beyond("skill", init.skills, skills),
        *_beyond("plugin", init.plugins, {PLUGIN, *_BUILT_IN_PLUGINS}),
        *_beyond("MCP server", init.mcp_servers, set(spec.mcp_servers)),
        *_beyond(
            "command", (each for each in init.commands if not _of_server(each, spec)), _BUILT_IN_COMMANDS | skills
        ),
    ]
    if init.permission_mode != PERMISSION_MODE:
        found.append(f"permission mode {init.permission_mode}")
    if init.version != version:
        found.append(f"version {init.version} instead of {version}")
    return tuple(found)


def _of_server(name: str, spec: TaskSpec) -> bool:
    """Whether a tool or a command is a granted MCP server's; which of them may be called is judged at each call."""
    return any(name.startswith(f"mcp__{server}__") for server in spec.mcp_servers)


def _beyond(kind: str, names: Iterable[str], granted: Set[str]) -> list[str]:
    return [f"{kind} {name}" for name in names if name not in granted]


def denial(asked: HookAsk, spec: TaskSpec) -> str | None:
    """Why this call may not run, or None."""
    name = "Agent" if asked.tool_name == "Task" else asked.tool_name
    if name == "StructuredOutput" and spec.output_schema is not None:
        return None
    if name not in tool_names(spec):
        return f"{name} was not granted."
    if name == "Agent":
        return _agent_denial(asked, spec)
    if name == "Skill":
        skill = str(asked.tool_input.get("skill", ""))
        if skill.removeprefix(f"{PLUGIN}:") not in {granted.name for granted in spec.skills}:
            return f"The skill {skill[:100]} was not granted."
    return None


def _agent_denial(asked: HookAsk, spec: TaskSpec) -> str | None:
    agent = str(asked.tool_input.get("subagent_type", ""))
    if agent not in {granted.name for granted in spec.agents}:
        return f"The agent {agent[:100] or 'without a name'} was not granted."
    return None


def ref(name: str, tool_input: dict[str, object]) -> str:
    """The ref under which a call is attributed: an agent's or skill's name, else the tool's."""
    if name in ("Agent", "Task"):
        return f"agent:{str(tool_input.get('subagent_type', ''))[:128]}"
    if name == "Skill":
        return f"skill:{str(tool_input.get('skill', '')).removeprefix(f'{PLUGIN}:')[:128]}"
    return f"tool:{name[:128]}"
