"""The table of attacks names tests that exist, and there are as many cases as were promised."""

import re
from pathlib import Path

import pytest

from tests.hostile import probes
from tests.hostile.test_the_egress_from_inside import ATTACKS

TABLE = Path(__file__).with_name("README.md").read_text()
ROWS = [line.split(" | ") for line in TABLE.splitlines() if line.startswith("| ") and "::" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("| "))
def test_a_class_of_attacks_has_cases_that_exist(row: list[str]) -> None:
    cases = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", row[-1])
    assert len(cases) == row[-1].count("::") > 0
    for path, name in cases:
        assert re.search(rf"^(async )?def {name}\(", (probes.ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_there_are_more_than_ninety_attacks_by_tool_code_and_egress() -> None:
    code = probes.code_probes(loopback_port=0, secret="", runtime_dir=probes.ROOT, abstract="")
    assert len({*map(str, code), *map(str, probes.tool_probes(0)), *map(str, ATTACKS)}) > 90
