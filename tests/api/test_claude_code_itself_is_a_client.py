"""Claude Code with `ANTHROPIC_BASE_URL` at the service: the CLI as a client of the CLI, its tools run at the client."""

import json
import os
import subprocess
from pathlib import Path

from apps.claude.catalog import locate_cli
from tests.support.scripted import ScriptedServer
from tests.support.service import Person, Service


def test_it_works_with_its_own_tools(
    service: Service, alice: Person, scripted_model: ScriptedServer, tmp_path: Path, marker: str
) -> None:
    (tmp_path / "note.txt").write_text(f"only the client has this {marker}")
    command = ["-p", f'[[tool: Read {{"file_path": "{tmp_path}/note.txt"}}]] [[say: Read it.]] {marker}']
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": service.url,
        "ANTHROPIC_API_KEY": alice.key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    flags = ["--model", "claude-sonnet-5-5", "--output-format", "json", "--allowedTools", "Read"]
    done = subprocess.run(
        [str(locate_cli(None)), *command, *flags],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    said = json.loads(done.stdout)
    assert not said["is_error"], said
    assert "Read it." in said["result"]
    answered = [entry["body"] for entry in scripted_model.log.containing(f"only the client has this {marker}")]
    assert answered, "what the client's own tool read came back as a tool result"
    jobs = alice.http.get("/v1/jobs?limit=10").json()["data"]
    assert any(job["stop_reason"] == "tool_use" for job in jobs)
