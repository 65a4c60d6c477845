"""The repository's files and what its modules import, for the rules here."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that git has or would add, relative to the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode()
    return tuple(Path(name) for name in sorted(filter(None, listed.split("\0"))) if (ROOT / name).is_file())


def modules(*folders: str) -> tuple[Path, ...]:
    """The Python files below some folders, migrations left out."""
    return tuple(p for p in files() if p.suffix == ".py" and p.parts[0] in folders and "migrations" not in p.parts)


def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / path).read_text(), str(path))


def imports(path: Path, source: ast.Module) -> Iterator[str]:
    """The dotted names a module imports: `from a.b import c` is `a.b.c`, relative ones are made absolute."""
    package = path.with_suffix("").parts[:-1]
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
