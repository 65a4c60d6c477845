"""The negative control: the same attacks on the same CLI, started as one would start it by hand. They have to work.

If one of these stops working, the probe proves nothing any more and needs another look.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apps.claude import catalog
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import ToolResult
from tests.claude.conftest import requests
from tests.claude.tasks import call
from tests.hostile import probes
from tests.hostile.conftest import ABSTRACT, SECRET_NAME
from tests.hostile.test_workspaces_are_no_configuration import HOOK

CODE = [
    "the worker's environment",
    "every process's environment",
    "the CLI's environment",
    "the CLI's memory",
    "the CLI's open files",
    "other processes",
    "a signal to the service",
    "/etc/passwd",
    "the service's code",
    "a symlink out",
    "/var",
    "/sys",
    "a loopback service",
    "an abstract socket of the host",
]
TOOLS = ["Bash", "Write", "a file by its absolute path", "a file by .."]


def naive(model: ScriptedModel, prompt: str, workspace: Path, secret: str) -> dict[str, ToolResult]:
    """Run `claude -p` on the host as a wrapper would, with every permission; the tool results by call id."""
    home = workspace.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "sk-ant-naive",
        SECRET_NAME: secret,
        "IS_SANDBOX": "1",  # without it the CLI refuses to skip permissions as root
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    flags = ["-p", prompt, "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
    done = subprocess.run(
        [str(catalog.locate_cli(None)), *flags, "--model", "sonnet"],
        cwd=workspace,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    results: dict[str, ToolResult] = {}
    for line in done.stdout.splitlines():
        frame: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
        if frame.get("type") != "user":
            continue
        for block in frame["message"]["content"]:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                text = block["content"] if isinstance(block["content"], str) else json.dumps(block["content"])
                results[block["tool_use_id"]] = ToolResult(block["tool_use_id"], text, bool(block.get("is_error")))
    assert results or "[[tool" not in prompt, done.stdout[-2000:] + done.stderr[-2000:]
    return results


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("naive") / "workspace"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def worked(model: ScriptedModel, services: int, secret: str, workspace: Path) -> set[str]:
    """The attacks that worked without walls."""
    attacks = probes.code_probes(loopback_port=services, secret=secret, runtime_dir=Path("/tmp"), abstract=ABSTRACT)
    attacks += probes.tool_probes(services)
    attacks = [attack for attack in attacks if attack.name in {*CODE, *TOOLS}]
    results = naive(model, " ".join(call(one.tool, **one.input) for one in attacks), workspace, secret)
    assert len(results) == len(attacks)
    return {attack.name for attack, result in zip(attacks, results.values(), strict=True) if attack.worked(result)}


@pytest.mark.parametrize("attack", [*CODE, *TOOLS])
def test_without_walls_it_works(worked: set[str], attack: str) -> None:
    assert attack in worked


def test_without_walls_a_workspace_is_configuration(
    model: ScriptedModel, workspace: Path, marker: str, secret: str
) -> None:
    (workspace / ".claude").mkdir()
    hook = json.loads(json.dumps(HOOK).replace("/workspace/", f"{workspace}/"))
    (workspace / ".claude" / "settings.json").write_text(json.dumps({"hooks": {"SessionStart": hook}}))
    (workspace / "CLAUDE.md").write_text("PLANTED-MEMORY")
    naive(model, f"hello {marker}", workspace, secret)
    assert (workspace / "RAN-hook").exists()
    assert "PLANTED-MEMORY" in json.dumps(requests(model, marker)[0])


def test_without_walls_a_prompt_reads_files_and_runs_commands(
    model: ScriptedModel, workspace: Path, marker: str, secret: str
) -> None:
    outside = workspace.parent / "outside.txt"
    outside.write_text("text of a file outside\n")
    naive(model, f"what is @{outside} {marker}", workspace, secret)
    assert "text of a file outside" in json.dumps(requests(model, marker)[-1])
    naive(model, f"/cost {marker}-command", workspace, secret)
    assert requests(model, f"{marker}-command") == []
