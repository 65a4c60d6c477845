from pathlib import Path

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.taskspec import Agent, Skill
from tests.claude.conftest import requests
from tests.claude.tasks import bash, call, do, task

REVIEWER = Agent(name="security-reviewer", description="Finds holes.", prompt="You look for holes.", tools=("Bash",))


@pytest.fixture
def skill(tmp_path: Path) -> Skill:
    (tmp_path / "SKILL.md").write_text(
        "---\nname: other-name\ndescription: hidden\nallowed-tools: Bash\nhooks: {}\n---\n"
        "Add them up. !`touch /workspace/ran` See notes.md.\n"
    )
    (tmp_path / "notes.md").write_text("the notes of the skill\n")
    (tmp_path / "link.md").symlink_to("/etc/hostname")
    return Skill(name="adding", description="Adds numbers.", directory=tmp_path)


def test_agents_and_skills_work_in_one_task_and_the_cost_is_told_apart(
    engine: Engine, model: ScriptedModel, marker: str, skill: Skill
) -> None:
    inner = f"{bash('echo from the agent')} [[say: no holes]] {marker}-agent"
    done = do(
        engine,
        task(
            call("Agent", subagent_type="security-reviewer", description="look", prompt=inner),
            call("Skill", skill="granted:adding", args="1 2"),
            call("Read", file_path="/opt/plugin/skills/adding/notes.md"),
            bash("ls /workspace /opt/plugin/skills/adding"),
            f"[[say: both done]] {marker}",
            tools=("Agent", "Skill", "Bash", "Read"),
            agents=(REVIEWER,),
            skills=(skill,),
        ),
    )
    assert (done.outcome.status, done.outcome.text) == ("completed", "both done"), done.outcome
    names = [(used.name, used.parent_id) for used in done.calls]
    started = done.calls[0].id
    assert sorted(names, key=str) == sorted(
        [("Agent", None), ("Bash", started), ("Skill", None), ("Read", None), ("Bash", None)], key=str
    )
    results = {result.id: result.content for result in done.results}
    assert "from the agent" in results[next(used.id for used in done.calls if used.parent_id)]
    assert "no holes" in results[started]
    assert "the notes of the skill" in results[done.calls[-2].id]
    assert results[done.calls[-1].id] == "/opt/plugin/skills/adding:\nSKILL.md\nnotes.md\n\n/workspace:"
    sent = requests(model, f"{marker}-agent")
    by_agent = [body for body in sent if "You look for holes." in str(body["system"])]
    assert [[tool["name"] for tool in body["tools"]] for body in by_agent] == [["Bash"]] * 2
    first = requests(model, marker)[0]
    assert "security-reviewer" in str(first)
    assert "Adds numbers." in str(first)
    assert "hidden" not in str(first)
    spent = done.outcome.attribution
    assert set(spent) == {"agent:security-reviewer", "skill:adding", "tool:Bash", "tool:Read"}
    assert sum(spent.values()) <= done.outcome.cost_microusd


def test_an_agents_own_model_is_used_only_where_it_was_granted(
    engine: Engine, model: ScriptedModel, marker: str
) -> None:
    agent = Agent(name="cheap", description="Cheap.", prompt="Be quick.", tools=(), model="claude-haiku-5-5")
    start = call("Agent", subagent_type="cheap", description="d", prompt=f"hello {marker}-agent")
    wanted = task(start, marker, tools=("Agent",), agents=(agent,), models=("claude-haiku-5-5",))
    assert {call.model for call in do(engine, wanted).outcome.calls} == {"claude-sonnet-5-5", "claude-haiku-5-5"}
    asked_by = [str(body["model"]) for body in requests(model, f"{marker}-agent")]
    assert asked_by == ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"]
    forced = do(engine, task(start, tools=("Agent",), agents=(agent,)))
    assert {call.model for call in forced.outcome.calls} == {"claude-sonnet-5-5"}


def test_an_answer_satisfies_the_schema_it_was_given(engine: Engine) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    done = do(engine, task(call("StructuredOutput", n=3), "count", output_schema=schema))
    assert done.outcome.status == "completed", done.outcome
    assert done.outcome.structured_output == {"n": 3}


def test_turns_run_out(engine: Engine) -> None:
    outcome = do(engine, task(bash("true"), bash("true"), bash("true"), max_turns=2)).outcome
    assert (outcome.status, outcome.stop_reason) == ("completed", "max_turns")
    assert len(outcome.calls) == 2
