"""What an operator types, and what the exit status says."""

import errno
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit import exporting
from apps.audit.models import AuditEvent
from tests.audit.cast import Record, sealed, superuser


def run(*arguments: str) -> str:
    """What a command prints."""
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def status(*arguments: str) -> tuple[int, str]:
    """The exit status and message of a command that fails."""
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return caught.value.returncode, str(caught.value)


def lines(text: str) -> list[dict[str, Any]]:
    """JSON lines, read."""
    return [json.loads(line) for line in text.splitlines()]


def test_audit_verify_seals_and_says_that_all_is_whole(recorded: Record) -> None:
    recorded()
    assert run("audit_verify") == (
        "The audit record is whole: 1 rows, up to position 1; 0 not sealed yet; 1 anchored heads.\n"
    )
    assert json.loads(run("audit_verify", "--json"))["whole"] is True


def test_audit_verify_names_the_first_broken_row_and_exits_with_1(recorded: Record) -> None:
    sealed(3)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET actor = 'user:bob' WHERE position = 2")
    code, message = status("audit_verify")
    row = AuditEvent.objects.get(position=2)
    assert code == 1
    assert (
        f"position 2: the content is not what was written: the row was edited or inserted by hand (row {row.id})"
        in message
    )


def test_audit_verify_as_json_reports_and_still_exits_with_1(recorded: Record) -> None:
    sealed(3)
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position = 1")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert (report["whole"], report["broken"], report["findings"][0]["position"]) == (False, 1, 1)


@pytest.mark.parametrize("source", ["audit_head", "audit_export"])
def test_audit_verify_compares_with_a_head_kept_elsewhere(recorded: Record, tmp_path: Path, source: str) -> None:
    sealed(3)
    kept = tmp_path / "kept"
    kept.write_text(run(source))
    run("audit_verify", "--head", str(kept))
    with superuser() as sql:
        sql("DELETE FROM audit_auditevent WHERE position > 1")
        sql("DELETE FROM audit_audithead")
    for anchor in (tmp_path / "audit").iterdir():
        anchor.unlink()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", "--head", str(kept), stdout=out)
    assert f"kept of {timezone.now():%Y}" in out.getvalue()


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"head": {"position": 1}}', "[]", '"head"'])
def test_audit_verify_exits_with_2_for_a_file_without_a_head(recorded: Record, tmp_path: Path, text: str) -> None:
    file = tmp_path / "head"
    file.write_text(text)
    code, message = status("audit_verify", "--head", str(file))
    assert code == 2
    assert "ends in no head" in message


def test_audit_verify_exits_with_2_for_a_file_that_is_not_there(recorded: Record, tmp_path: Path) -> None:
    assert status("audit_verify", "--head", str(tmp_path / "none"))[0] == 2


def test_audit_export_writes_every_row_and_the_head(recorded: Record) -> None:
    recorded(data={"before": {"name": "a"}, "after": {"name": "b"}}, ip="10.0.0.1")
    first, export, end = lines(run("audit_export"))
    assert (first["position"], first["actor"], first["ip"]) == (1, "user:alice", "10.0.0.1")
    assert first["data"] == {"before": {"name": "a"}, "after": {"name": "b"}}
    assert export["action"] == "audit.exported"
    assert (end["rows"], end["head"]["position"], end["head"]["seal"]) == (2, 2, export["seal"])


def test_audit_export_takes_a_time_and_a_project(recorded: Record) -> None:
    sealed(5)
    recorded(project_id="borealis")
    chosen = run(
        "audit_export", "--since", "2026-11-22T12:00:01", "--until", "2026-11-22T12:00:03", "--project", "atlas"
    )
    assert [row.get("target_id") for row in lines(chosen)] == ["k2", "k3", None]


def test_audit_export_writes_a_private_file_whole_or_not_at_all(recorded: Record, tmp_path: Path) -> None:
    recorded()
    file = tmp_path / "export.jsonl"
    run("audit_export", "--out", str(file))
    assert len(lines(file.read_text())) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    _, message = status("audit_export", "--out", str(tmp_path / "nowhere" / "export.jsonl"))
    assert "cannot be written" in message
    assert [path.name for path in tmp_path.iterdir() if path.name != "audit"] == ["export.jsonl"]


def test_audit_export_leaves_nothing_of_a_file_that_the_disk_had_no_room_for(
    recorded: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(rows: object) -> Iterator[str]:
        yield "{}"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting, "json_lines", full)
    _, message = status("audit_export", "--out", str(tmp_path / "export.jsonl"))
    assert "No space left" in message
    assert [path.name for path in tmp_path.iterdir()] == ["audit"]


def test_audit_prune_deletes_what_is_older_and_says_how_much(recorded: Record) -> None:
    sealed(3)
    assert run("audit_prune", "--before", "2026-11-22T12:00:02") == "2 rows deleted, up to position 2.\n"
    assert "after the retention cut at 2" in run("audit_verify")


def test_audit_prune_keeps_the_evidence_of_tampering(recorded: Record) -> None:
    sealed(3)
    with superuser() as sql:
        sql("UPDATE audit_auditevent SET actor = 'user:bob' WHERE position = 1")
    _, message = status("audit_prune", "--before", "2026-11-22T12:00:02")
    assert "--broken-too" in message
    assert AuditEvent.objects.sealed().count() == 3
    run("audit_prune", "--before", "2026-11-22T12:00:02", "--broken-too")


def test_audit_prune_refuses_a_date_in_the_future(recorded: Record) -> None:
    recorded()
    assert "future" in status("audit_prune", "--before", f"{timezone.now().year + 1}-01-01")[1]
