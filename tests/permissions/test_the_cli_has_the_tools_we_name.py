"""The tools that the admin offers are those of the CLI that is installed."""

import json
import subprocess
from pathlib import Path

from apps.claude.catalog import locate_cli
from apps.permissions import known
from apps.permissions.refs import ref


def _tools(home: Path, wanted: str) -> set[str]:
    """What the real CLI says it would run with, under our launch flags. It speaks before it calls any model."""
    flags = ["--restricted", "--tools", wanted, "--setting-sources", "", "--strict-mcp-config"]
    cli = subprocess.Popen(
        [locate_cli(None), "-p", "hi", "--output-format", "stream-json", "--verbose", *flags],
        cwd=home,
        env={
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",  # nobody answers there
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_CRON": "1",
            "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with cli:
        assert cli.stdout
        frames = (json.loads(line) for line in cli.stdout if line.startswith(b"{"))
        names = next(set(frame["tools"]) for frame in frames if frame.get("subtype") == "init")
        cli.kill()
    return names


def test_the_cli_has_every_tool_we_name_and_no_other(tmp_path: Path) -> None:
    named = {name for tool in known.TOOLS for name in ref("tool", tool).names}
    ours = _tools(tmp_path, ",".join(known.TOOLS))
    assert all(ours & set(ref("tool", tool).names) for tool in known.TOOLS), set(known.TOOLS) - ours
    assert _tools(tmp_path, "default") <= named
