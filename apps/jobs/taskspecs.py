"""From a task's row to what the engine runs: the grant becomes agents, skills and tools, and nothing else does."""

from collections.abc import Iterator, Sequence

from django.conf import settings

from apps.capabilities import mcp
from apps.capabilities import services as capabilities
from apps.claude.spec import RunSpec
from apps.claude.taskspec import Agent, Skill, TaskSpec
from apps.jobs import artifacts, sessions
from apps.jobs.models import Job
from apps.jobs.requests import run_spec, wall_seconds
from apps.jobs.taskrequests import TaskRequest
from apps.jobs.workspaces import carried, together
from apps.permissions.verdict import Grant

_PLUGIN = "granted"
"""Under which name the engine gives the CLI a task's skills: they come as one plugin."""
_LONGEST_DESCRIPTION = 1_000


def spec_of(job: Job) -> RunSpec | TaskSpec:
    """The job as the engine wants it: fully decided. Reads the database for a task."""
    return task_spec(job) if job.kind == TaskRequest.kind else run_spec(job)


def task_spec(job: Job) -> TaskSpec:
    """A task, with what its key was granted when it was submitted, as far as that still exists."""
    request, grant = TaskRequest.from_json(job.request), Grant.from_json(job.grant or {})
    agents = capabilities.agents(names=grant.agents, tools=grant.tools, models=request.agent_models)
    skills = capabilities.skills(names=grant.skills)
    return TaskSpec(
        job_id=job.id,
        project=str(job.project_id),
        model=request.model,
        models=request.agent_models,
        prompt=request.prompt,
        system="\n\n".join(filter(None, (request.system, briefing(agents, skills)))),
        tools=_with_starters(grant.tools, agents, skills),
        ask_tools=grant.ask_tools,
        agents=tuple(agents),
        skills=tuple(skills),
        mcp_servers=mcp.configs(grant.tools),
        files=together(carried(job), request.files),
        output_schema=request.output_schema,
        max_turns=grant.max_turns,
        cap_microusd=job.cap_microusd,
        wall_seconds=wall_seconds(job),
        idle_seconds=settings.JOB_IDLE_SECONDS,
        session_id=job.session_id,
        session_dir=sessions.directory(project_id=job.project_id, session_id=job.session_id),
        artifacts_dir=artifacts.directory(job.id),
        approval_seconds=settings.APPROVAL_SECONDS,
    )


def _with_starters(tools: tuple[str, ...], agents: Sequence[Agent], skills: Sequence[Skill]) -> tuple[str, ...]:
    """The granted tools, and those that start what else was granted."""
    starters = (*(["Agent"] if agents else ()), *(["Skill"] if skills else ()))
    return tuple(dict.fromkeys((*tools, *starters)))


def briefing(agents: Sequence[Agent], skills: Sequence[Skill]) -> str:
    """What the model is told of its agents and skills and how to use them; empty without any."""
    return "\n".join(_lines(agents, skills))


def _lines(agents: Sequence[Agent], skills: Sequence[Skill]) -> Iterator[str]:
    if agents:
        yield "You may delegate to these agents with the Agent tool, its `subagent_type` being the name:"
        yield from (f"- {each.name}: {_short(each.description)}" for each in agents)
    if agents and skills:
        yield ""
    if skills:
        yield "You may use these skills with the Skill tool, its `skill` being the name:"
        yield from (f"- {_PLUGIN}:{each.name}: {_short(each.description)}" for each in skills)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_DESCRIPTION else f"{text[: _LONGEST_DESCRIPTION - 1]}…"
