"""The granted skills as a generated plugin: their own files, the front matter cut down to name and description."""

import json
import os
import re
import shutil
import stat
from pathlib import Path

from apps.claude.tasks import gate
from apps.claude.taskspec import Skill

PLUGIN = gate.PLUGIN
_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_MAX_FILES, _MAX_BYTES = 2_000, 64 << 20


def write(plugin: Path, skills: tuple[Skill, ...]) -> None:
    """Write a plugin that holds these skills and nothing else into an empty directory. Raises OSError, ValueError."""
    manifest = plugin / ".claude-plugin"
    manifest.mkdir(mode=0o755)
    (manifest / "plugin.json").write_text(json.dumps({"name": PLUGIN, "version": "1.0.0", "description": "Granted."}))
    for skill in skills:
        target = plugin / "skills" / _folder(skill.name)
        target.mkdir(mode=0o755, parents=True)
        _copy(skill.directory, target)
        text = (skill.directory / "SKILL.md").read_text(encoding="utf-8", errors="replace")
        written = target / "SKILL.md"
        written.unlink(missing_ok=True)
        written.write_text(text if skill.trusted else sanitised(skill.name, skill.description, text), encoding="utf-8")


def sanitised(name: str, description: str, text: str) -> str:
    """A SKILL.md without anything that acts: no hooks, no allowed tools, no model, no commands in the body."""
    body = _FRONT_MATTER.sub("", text, count=1)
    body = body.replace("!`", "! `").replace("```!", "``` !")
    return f"---\nname: {json.dumps(name)}\ndescription: {json.dumps(description)}\n---\n{body}"


def _folder(name: str) -> str:
    """The name as one path component; a skill is called by it."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name[:100]!r} cannot be a skill's name")
    return name


def _copy(source: Path, target: Path) -> None:
    """Copy regular files only: a link in an operator's folder would show whatever it points to."""
    files = size = 0
    for directory, names, leaves in os.walk(source, followlinks=False):
        inside = target / Path(directory).relative_to(source)
        names[:] = [name for name in names if not (Path(directory) / name).is_symlink()]
        for name in names:
            (inside / name).mkdir(mode=0o755, exist_ok=True)
        for leaf in leaves:
            facts = (Path(directory) / leaf).lstat()
            files, size = files + 1, size + facts.st_size
            if files > _MAX_FILES or size > _MAX_BYTES:
                raise ValueError(f"the skill in {source.name} is too large")
            if stat.S_ISREG(facts.st_mode):
                shutil.copyfile(Path(directory) / leaf, inside / leaf)
                (inside / leaf).chmod(0o755 if facts.st_mode & 0o111 else 0o644)
