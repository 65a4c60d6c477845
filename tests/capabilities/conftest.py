"""A `CLAUDE_HOME` of its own for every test; `agent` and `skill` write files as operators do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Settings) -> Path:
    """Empty at first."""
    settings.CLAUDE_HOME = tmp_path / "claude"
    settings.CAPABILITY_DIRS = ()
    (tmp_path / "claude").mkdir()
    return tmp_path / "claude"


def agent(root: Path, name: str, *, body: str = "You review code.", **front: str) -> Path:
    """An agent's file."""
    lines = {"name": name, "description": f"About {name}.", **front}
    return _write(root / "agents" / f"{name}.md", lines, body)


def skill(root: Path, name: str, *, body: str = "Do this, then that.", **front: str) -> Path:
    """A skill's SKILL.md."""
    lines = {"name": name, "description": f"How to {name}.", **front}
    return _write(root / "skills" / name / "SKILL.md", lines, body)


def _write(path: Path, lines: dict[str, str], body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    front = "".join(f"{key}: {value}\n" for key, value in lines.items())
    path.write_text(f"---\n{front}---\n\n{body}\n", encoding="utf-8")
    return path
