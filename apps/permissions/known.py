"""Names that the admin can show and offer. Rules are not bound to them: a tool of an MCP server has its own."""

from apps.claude.catalog import MODELS, ModelInfo
from apps.permissions.refs import Kind

TOOLS = (
    *("Read", "Glob", "Grep"),
    *("Write", "Edit", "NotebookEdit"),
    *("Bash", "Monitor", "WebFetch", "WebSearch"),
    *("Agent", "Skill", "Workflow", "TaskCreate", "TaskGet", "TaskList", "TaskUpdate", "TaskStop"),
    *("SendMessage", "ListAgents", "ScheduleWakeup", "EnterWorktree", "ExitWorktree"),
    *("ToolSearch", "ReportFindings", "DesignSync"),
)
"""What the CLI 2.1.330 has under our launch flags, by purpose: read, write, run and fetch, delegate, the rest."""


def names() -> dict[Kind, list[tuple[str, ...]]]:
    """For each kind whose members are known everything there is, each thing as the tuple of all its names."""
    return {"tool": [(tool,) for tool in TOOLS], "model": [model_names(model) for model in MODELS]}


def model_names(model: ModelInfo) -> tuple[str, ...]:
    """All names of a model, the full id first: what an Ask wants."""
    return (model.id, model.alias) if model.alias else (model.id,)
