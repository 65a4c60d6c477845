"""Where agents and skills are: the operator's folders, `CLAUDE_HOME`, and the plugins that are installed there.

Only looks at names, sizes and times; nothing is opened but the lists of plugins. Each file comes with a stamp that
changes when it does, so that what has not changed need not be read again.
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MAX_FILE_BYTES = 1 << 20
"""Of an agent's file or a SKILL.md."""
MAX_SKILL_BYTES = 32 << 20
MAX_SKILL_FILES = 2_000
_MAX_DEPTH = 6
_MAX_LIST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with `agents` and `skills` in it."""

    root: Path
    label: str
    """For people: `folder`, `user`, `plugin NAME`."""
    namespace: str = ""
    """What a plugin's names begin with."""


@dataclass(frozen=True, slots=True)
class Found:
    """One file that should hold an agent or a skill."""

    kind: Literal["agent", "skill"]
    path: Path
    source: Source
    stamp: str
    """Changes with the file; for a skill with any file in its folder."""
    size: int
    """Bytes; for a skill of all its files."""
    fault: str = ""
    """Why it cannot even be opened."""


def sources(*, home: Path, folders: Sequence[Path] = ()) -> list[Source]:
    """All sources; where two hold the same name the earlier one wins."""
    own = [Source(folder, "folder", _plugin_name(folder) or "") for folder in folders]
    return [*own, Source(home, "user"), *_plugins(home)]


def find(source: Source) -> Iterator[Found]:
    """Everything in one source, by name. A folder that is not there holds nothing."""
    for entry in _files(source.root / "agents"):
        if entry.name.endswith(".md") and entry.name.lower() != "readme.md":
            yield _found("agent", entry, source)
    for folder in _entries(source.root / "skills"):
        manifest = Path(folder.path) / "SKILL.md"
        if manifest.is_file():
            yield _skill(manifest, source)


def _found(kind: Literal["agent", "skill"], entry: os.DirEntry[str], source: Source) -> Found:
    try:
        stat = entry.stat()
    except OSError as error:
        return Found(kind, Path(entry.path), source, "", 0, f"it cannot be read: {error.strerror}")
    fault = f"it is larger than {MAX_FILE_BYTES >> 10} kB" if stat.st_size > MAX_FILE_BYTES else ""
    return Found(kind, Path(entry.path), source, f"{stat.st_size}.{stat.st_mtime_ns}", stat.st_size, fault)


def _skill(manifest: Path, source: Source) -> Found:
    """The stamp and size of all files of a skill."""
    size = newest = count = 0
    names: list[str] = []
    try:
        for entry in _files(manifest.parent):
            stat = entry.stat(follow_symlinks=False)
            size, newest, count = size + stat.st_size, max(newest, stat.st_mtime_ns), count + 1
            names.append(f"{entry.path}:{stat.st_size}:{stat.st_mtime_ns}")
            if size > MAX_SKILL_BYTES or count > MAX_SKILL_FILES:
                fault = f"it has more than {MAX_SKILL_BYTES >> 20} MB or {MAX_SKILL_FILES:,} files"
                return Found("skill", manifest, source, f"{size}.{newest}", size, fault)
        if manifest.stat().st_size > MAX_FILE_BYTES:
            return Found("skill", manifest, source, "", size, f"its SKILL.md is larger than {MAX_FILE_BYTES >> 10} kB")
    except OSError as error:
        return Found("skill", manifest, source, "", size, f"it cannot be read: {error.strerror}")
    listing = zlib.crc32("\n".join(names).encode("utf-8", "replace"))
    return Found("skill", manifest, source, f"{size}.{newest}.{listing:x}", size)


def _files(folder: Path | str, depth: int = 0) -> Iterator[os.DirEntry[str]]:
    """All files below a folder, by name, not deeper than people nest them."""
    for entry in _entries(folder):
        if entry.is_dir() and depth < _MAX_DEPTH:
            yield from _files(entry.path, depth + 1)
        elif entry.is_file():
            yield entry


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return []


def _plugins(home: Path) -> Iterator[Source]:
    """The plugins that are installed and not switched off, each once, by name."""
    root = home / "plugins"
    off = {name for name, on in _mapping(_json(home / "settings.json").get("enabledPlugins")).items() if on is False}
    listed = _mapping(_json(root / "installed_plugins.json").get("plugins"))
    installed: dict[str, Path] = {}
    for full_name, installs in sorted(listed.items()):
        if full_name not in off and (path := _install_path(root, installs)):
            installed[full_name.partition("@")[0]] = path
    if not listed:
        for manifest in sorted(root.glob("*/.claude-plugin/plugin.json")):
            if (name := _plugin_name(manifest.parents[1])) and name not in off:
                installed[name] = manifest.parents[1]
    for name, path in sorted(installed.items()):
        yield Source(path, f"plugin {name}", name)


def _install_path(root: Path, installs: Any) -> Path | None:
    """Where a plugin lies, also if its list was written on a machine where HOME was elsewhere."""
    for install in installs if isinstance(installs, list) else [installs]:
        path = _mapping(install).get("installPath")
        if not isinstance(path, str):
            continue
        here = root / path.rpartition("/plugins/")[2]
        for candidate in (Path(path), here):
            if candidate.is_absolute() and candidate.is_dir():
                return candidate
    return None


def _plugin_name(folder: Path) -> str | None:
    name = _json(folder / ".claude-plugin" / "plugin.json").get("name")
    return name if isinstance(name, str) and name else None


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none that can be read."""
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            return {}
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
