"""The files that take longest come first, so that no process is left alone with one of them at the end.

Rough guesses are enough: what matters is that the last files are short.
"""

import itertools
from collections import defaultdict

import pytest

# Seconds of a test in one of these folders, of one that asks for one of these fixtures, of a whole file's fixtures.
_IN_FOLDER = {"clients": 12.0, "claude": 0.7}
_ASKING = {"serve": 12.0, "new_service": 8.0, "page": 4.0, "service": 0.7, "filled": 1.0, "database": 0.3}
_FOR_FILE = {"demo": 40.0, "told": 20.0, "start_service": 20.0, "browser": 10.0}


def longest_first(items: list[pytest.Item]) -> None:
    """Sort by file; the order of the tests in a file stays."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.nodeid.partition("::")[0]].append(item)
    ordered = sorted(files.items(), key=lambda file: (-_seconds(file[1]), file[0]))
    items[:] = itertools.chain.from_iterable(tests for _, tests in ordered)


def _seconds(tests: list[pytest.Item]) -> float:
    wanted: list[set[str]] = [set(getattr(test, "fixturenames", ())) for test in tests]
    each = sum(max((_ASKING.get(name, 0.0) for name in names), default=0.0) for names in wanted)
    once = sum(_FOR_FILE.get(name, 0.0) for name in set().union(*wanted))
    return each + once + sum(_IN_FOLDER.get(test.path.parent.name, 0.0) for test in tests)
