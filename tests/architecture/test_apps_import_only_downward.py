import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imports, modules, tree

FLOORS = {
    "api": 5,
    "dashboard": 5,
    "jobs": 4,
    "budgets": 3,
    "capabilities": 3,
    "people": 3,
    "routing": 3,
    "keys": 2,
    "permissions": 1,
    "audit": 0,
    "claude": 0,
}
# What an app keeps to itself: its hands and its interfaces.
PRIVATE = {
    "admin",
    "apps",
    "consumers",
    "forms",
    "management",
    "migrations",
    "routing",
    "sse",
    "tasks",
    "urls",
    "views",
}
VAGUE = {"common", "core", "helpers", "lib", "misc", "shared", "utils"}


def broken_floors(path: Path, source: ast.Module) -> list[str]:
    """The imports of one module that its app may not make."""
    app = path.parts[1]
    broken = []
    for name in imports(path, source):
        match name.split("."):
            case ["apps", other, *_] if other == app:
                continue
            case ["apps", other, *_] if FLOORS[other] >= FLOORS[app]:
                broken.append(f"{path}: {app} (floor {FLOORS[app]}) imports {name} (floor {FLOORS[other]})")
            case ["apps", _, module, *_] if module in PRIVATE:
                broken.append(f"{path} imports {name}, which that app keeps to itself")
    return broken


def foreign(path: Path, source: ast.Module) -> list[str]:
    """What a module of the engine imports besides the standard library, aiohttp, what schemas need, and the engine."""
    allowed = {*sys.stdlib_module_names, "aiohttp", "jsonschema", "referencing", "regex"}
    names = [name for name in imports(path, source) if name.split(".")[0] not in allowed]
    return [f"{path} imports {name}" for name in names if not name.startswith("apps.claude.")]


def test_every_app_has_its_floor() -> None:
    apps = {path.name for path in (ROOT / "apps").iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert apps <= FLOORS.keys()


def test_every_module_imports_only_from_floors_below() -> None:
    paths = [path for path in modules("apps") if len(path.parts) > 2]
    assert [line for path in paths for line in broken_floors(path, tree(path))] == []


def test_the_engine_imports_neither_django_nor_another_app() -> None:
    engine = [path for path in modules("apps") if path.parts[1] == "claude" and path.name != "apps.py"]
    assert engine
    assert [line for path in engine for line in foreign(path, tree(path))] == []


def test_no_module_is_named_for_nothing() -> None:
    """An app, or a module that all of an app may use; inside a subject of its own, `common` says enough."""
    assert [str(path) for path in modules("apps", "config") if VAGUE & {*path.with_suffix("").parts[:3]}] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("apps/keys/services.py", "from apps.jobs import services"),
        ("apps/keys/services.py", "from apps import jobs"),
        ("apps/keys/services.py", "import apps.api.errors"),
        ("apps/audit/services.py", "from apps.claude.spec import Usage"),
        ("apps/api/views/chat.py", "from apps.jobs.admin import JobAdmin"),
        ("apps/api/views/chat.py", "from apps.keys import admin"),
        ("apps/keys/models.py", "def late():\n    from ..jobs.models import Job"),
    ],
)
def test_a_broken_floor_is_noticed(path: str, line: str) -> None:
    assert broken_floors(Path(path), ast.parse(line))


@pytest.mark.parametrize(
    "line", ["from apps.keys import services", "from . import errors", "from apps.jobs.models import Job"]
)
def test_what_is_allowed_is_not_complained_about(line: str) -> None:
    assert broken_floors(Path("apps/api/views.py"), ast.parse(line)) == []


@pytest.mark.parametrize("line", ["import django", "from apps.audit import services", "from config import env"])
def test_a_foreign_import_of_the_engine_is_noticed(line: str) -> None:
    assert foreign(Path("apps/claude/pool.py"), ast.parse(line))
