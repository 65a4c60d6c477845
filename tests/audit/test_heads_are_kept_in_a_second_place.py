"""Heads stand in a file of DATA_DIR, where an editor of the database does not come."""

import json
import logging
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.audit import anchors, chain, services
from apps.audit.chain import BadHead, Head
from tests.audit.cast import NOON, Record, assert_whole, sealed


def positions() -> list[int]:
    """What is anchored, in order."""
    heads = [head for _, head in anchors.kept(chain.keyring())]
    return [head.position for head in heads if isinstance(head, Head)]


def test_a_head_is_kept_once_a_minute_at_most(recorded: Record) -> None:
    for second in (0, 20, 59, 60, 100, 121):
        recorded()
        services.seal(now=NOON + timedelta(seconds=second))
    assert positions() == [1, 4, 6]


def test_the_last_head_of_a_busy_time_is_kept_though_nothing_follows(recorded: Record) -> None:
    sealed(1)
    sealed(1)
    for minute in (1, 2, 3):
        services.seal(now=NOON + timedelta(minutes=minute))
    assert positions() == [1, 2]


def test_each_month_has_a_file_that_only_the_service_reads(recorded: Record, settings: Settings) -> None:
    for days in (0, 30):
        recorded()
        services.seal(now=NOON + timedelta(days=days))
    directory = Path(settings.DATA_DIR) / "audit"
    assert sorted(file.name for file in directory.iterdir()) == ["heads-2026-11.jsonl", "heads-2026-12.jsonl"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_an_empty_record_has_no_head_to_keep(recorded: Record) -> None:
    assert services.seal(now=NOON).position == 0
    assert positions() == []


def test_a_disk_that_refuses_costs_a_warning_and_no_deed(
    recorded: Record, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    settings.DATA_DIR = tmp_path / "file"
    with caplog.at_level(logging.WARNING, "apps.audit"):
        sealed(1)
    assert "could not be kept" in caplog.text
    assert_whole()


def test_a_head_reads_back_as_it_was_written_and_not_otherwise(recorded: Record) -> None:
    ring, head = chain.keyring(), sealed(2)
    written = json.loads(json.dumps(head.to_json(ring)))
    assert Head.from_json(written, ring) == head
    for name, value in {
        "position": 1,
        "seal": "00" * 32,
        "at": "2026-11-22T12:00:00+00:00",
        "mac": "00",
        "key_id": "x",
    }.items():
        with pytest.raises(BadHead):
            Head.from_json(written | {name: value}, ring)
    nonsense: list[object] = [{}, None, [], "head", {"position": "x"}]
    for one in nonsense:
        with pytest.raises(BadHead):
            Head.from_json(one, ring)
