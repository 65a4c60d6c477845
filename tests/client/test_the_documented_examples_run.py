"""What docs/client.md shows runs as it stands, but for the address and the key."""

import re
import shutil
import subprocess

import pytest

from config.env import ROOT
from tests.support.service import Person, Service

DOCUMENTED_URL = "http://127.0.0.1:8006"


@pytest.fixture
def blocks(service: Service) -> dict[str, str]:
    """The code of each language, with the address of this service."""
    text = (ROOT / "docs" / "client.md").read_text().replace(DOCUMENTED_URL, service.url)
    found: dict[str, str] = {}
    for language, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        found[language] = found.get(language, "") + code
    return found


def test_the_python_examples_run(blocks: dict[str, str], paula: Person, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"api_key": paula.key, "__name__": "docs"}
    exec(compile(blocks["python"], "docs/client.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("completed") == 3
    assert "max_turns" in printed
    batch = names["batch"]
    assert [item.kind for item in batch.results] == ["chat", "chat", "task"]  # type: ignore[attr-defined]


def test_the_javascript_examples_run(blocks: dict[str, str], paula: Person) -> None:
    node = shutil.which("node")
    assert node
    done = subprocess.run(
        [node, "--input-type=module", "--experimental-websocket", "-"],
        input=f"const apiKey = {paula.key!r};\n{blocks['js']}",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done") == 2, done.stdout
    assert "failed" not in done.stdout
    assert "error" not in done.stdout
