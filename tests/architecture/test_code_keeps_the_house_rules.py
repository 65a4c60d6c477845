import ast
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imports, modules, tree

LONGEST_FILE_LINES = 300
SKIPPING = {"skip", "skipif", "xfail", "importorskip", "expectedFailure"}


def hidden_effects(path: Path, source: ast.Module) -> list[str]:
    """Signals, managers and `save` or `delete` overrides of models: effects that nobody sees where they happen."""
    found = [f"{path} imports {name}" for name in imports(path, source) if _is_signal(name)]
    for node in ast.walk(source):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).split("[")[0].rsplit(".", 1)[-1] for base in node.bases}
            if any(base.endswith("Manager") for base in bases):
                found.append(f"{path}: {node.name} is a manager")
            if path.name == "models.py" or "Model" in bases:
                methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
                found += [f"{path}: {node.name}.{name}" for name in methods if name in ("save", "delete")]
    return found


def _is_signal(name: str) -> bool:
    return name.startswith(("django.dispatch", "django.db.models.signals", "django.core.signals"))


def skipped(path: Path, source: ast.Module) -> list[str]:
    """Where a test is skipped or expected to fail."""
    names = [node for node in ast.walk(source) if isinstance(node, ast.Attribute) and node.attr in SKIPPING]
    return [f"{path}:{node.lineno} {ast.unparse(node)}" for node in names]


def test_no_file_is_longer_than_300_lines() -> None:
    lines = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules("apps", "client", "config")}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE_LINES} == {}


def test_there_are_no_signals_managers_or_save_overrides() -> None:
    assert [line for path in modules("apps") for line in hidden_effects(path, tree(path))] == []


def test_no_test_is_skipped() -> None:
    assert [line for path in modules("tests") for line in skipped(path, tree(path))] == []


def test_test_names_are_sentences() -> None:
    functions = (
        node
        for path in modules("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert [node.name for node in functions if node.name.startswith("test_") and node.name.count("_") < 2] == []


@pytest.mark.parametrize(
    "line",
    [
        "from django.db.models.signals import post_save",
        "from django.dispatch import receiver",
        "class Jobs(models.Manager): pass",
        "class Jobs(models.Manager['Job']): pass",
        "class Job(models.Model):\n    def save(self): pass",
    ],
)
def test_a_hidden_effect_is_noticed(line: str) -> None:
    assert hidden_effects(Path("apps/jobs/models.py"), ast.parse(line))


def test_a_skipped_test_is_noticed() -> None:
    assert skipped(Path("tests/x.py"), ast.parse("@pytest.mark.skip\ndef test_it(): pass"))
