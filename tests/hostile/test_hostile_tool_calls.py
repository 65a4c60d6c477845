"""Every attack of the catalogue, made for real by the scripted model through the real CLI; none may work."""

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import ToolResult
from apps.claude.taskspec import File
from tests.claude.conftest import requests
from tests.claude.tasks import Done, call, do, task
from tests.hostile import probes
from tests.hostile.conftest import ABSTRACT
from tests.hostile.probes import Probe

CODE = probes.code_probes(loopback_port=0, secret="", runtime_dir=probes.ROOT, abstract="")
TOOLS = probes.tool_probes(0)


@pytest.fixture(scope="module")
def code(engine: Engine, model: ScriptedModel, services: int, secret: str) -> dict[str, ToolResult]:
    """What became of each attack by code."""
    attacks = probes.code_probes(
        loopback_port=services, secret=secret, runtime_dir=engine._runtime_dir, abstract=ABSTRACT
    )
    done = do(engine, task(*(call(attack.tool, **attack.input) for attack in attacks), "hostile-code", tools=("Bash",)))
    return told(done, attacks, model, "hostile-code")


@pytest.fixture(scope="module")
def tools(engine: Engine, model: ScriptedModel, services: int) -> dict[str, ToolResult]:
    """What became of each tool that a read-only key was asked for."""
    attacks = probes.tool_probes(services)
    spec = task(
        *(call(attack.tool, **attack.input) for attack in attacks),
        "hostile-tools",
        tools=("Read", "Glob", "Grep"),
        files=(File(name="in.txt", content=b"in\n"),),
    )
    done = do(engine, spec)
    assert not {"Bash", "Write", "Edit", "Agent", "Skill", "WebFetch"} & set(done.outcome.tools_used)
    return told(done, attacks, model, "hostile-tools")


def told(done: Done, attacks: list[Probe], model: ScriptedModel, word: str) -> dict[str, ToolResult]:
    """The results by attack, as the model was told them, each of them for the call that was asked for."""
    assert done.outcome.status == "completed", done.outcome
    assert [(used.name, used.input) for used in done.calls] == [(attack.tool, attack.input) for attack in attacks]
    sent = requests(model, word)[-1]["messages"]
    blocks = [block for turn in sent if isinstance(turn["content"], list) for block in turn["content"]]
    heard = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    assert {used.id for used in done.calls} == heard, "the model was not told of every call"
    return {attack.name: done.result_of(number) for number, attack in enumerate(attacks)}


@pytest.mark.parametrize("attack", CODE, ids=str)
def test_code_in_the_jail_does_not_get(code: dict[str, ToolResult], attack: Probe) -> None:
    result = code[attack.name]
    assert attack.attempted(result), result.content
    assert not attack.worked(result), result.content


@pytest.mark.parametrize("attack", TOOLS, ids=str)
def test_a_read_only_key_does_not_get(tools: dict[str, ToolResult], attack: Probe) -> None:
    result = tools[attack.name]
    assert attack.attempted(result), result.content
    assert not attack.worked(result), result.content
