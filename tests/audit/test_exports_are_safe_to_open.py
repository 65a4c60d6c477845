"""A spreadsheet that opens an export runs nothing of what a stranger wrote."""

import csv
import io

import pytest

from apps.audit import exporting, services
from tests.audit.cast import NOON, Record


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "=cmd|' /C calc'!A0"])
def test_a_cell_that_begins_like_a_formula_is_quoted(text: str) -> None:
    assert exporting.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["user:alice", "", "a=b", 7])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert exporting.safe_cell(value) == str(value)


def test_every_column_of_a_csv_is_made_safe(recorded: Record) -> None:
    recorded(
        actor="=A1", target_id="+A1", reason="-A1", ip="@A1", request_id="=A1", project_id="=A1", target_type="=A1"
    )
    services.seal(now=NOON)
    rows = exporting.chosen(up_to=1)
    titles, row = csv.reader(io.StringIO(exporting.csv_text(rows)))
    cells = dict(zip(titles, row, strict=True))
    assert titles == list(exporting.COLUMNS)
    assert [cells[name] for name in ("actor", "target_id", "reason", "ip")] == ["'=A1", "'+A1", "'-A1", "'@A1"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
