"""Heads kept in a second place: a file in DATA_DIR that an editor of the database cannot reach.

`DATA_DIR/audit/heads-YYYY-MM.jsonl`, one line a minute at most; the log gets the same. Each node keeps those of its own
sealer. Whoever wants more copies the files away, or makes them append-only (`chattr +a`).
"""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.audit.chain import BadHead, Head, Keyring

EVERY = timedelta(seconds=60)
_LONGEST_LINE = 1024

logger = logging.getLogger(__name__)


def keep(head: Head, ring: Keyring, *, now: datetime) -> None:
    """Add the head to the file, unless it is there already or the last one is younger than EVERY. Never raises."""
    if head.position == 0:
        return
    try:
        last = _last(ring)
        if last is not None and (last.position == head.position or timedelta(0) <= now - last.at < EVERY):
            return
        dated = Head(head.position, head.seal, now)
        _append(_directory() / f"heads-{now:%Y-%m}.jsonl", json.dumps(dated.to_json(ring)))
        logger.info("audit chain at position %d with seal %s", head.position, head.seal.hex())
    except OSError as error:
        logger.warning("the head of the audit chain could not be kept in DATA_DIR: %s", error)


def kept(ring: Keyring) -> Iterator[tuple[str, Head | BadHead]]:
    """Every head of the files, oldest file first, with where it stands; lines that nobody here wrote as BadHead."""
    for path in _files():
        with path.open() as file:
            for number, line in enumerate(file, start=1):
                yield f"{path.name}:{number}", _parse(line, ring)


def forget(position: int, ring: Keyring) -> None:
    """Remove the files that hold nothing above a position: retention has cut what they prove."""
    for path in _files():
        heads = [_parse(line, ring) for line in path.read_text().splitlines()]
        if heads and all(isinstance(head, Head) and head.position <= position for head in heads):
            path.unlink()


def _directory() -> Path:
    return Path(settings.DATA_DIR) / "audit"


def _files() -> list[Path]:
    return sorted(_directory().glob("heads-*.jsonl"))


def _parse(line: str, ring: Keyring) -> Head | BadHead:
    try:
        data: Any = json.loads(line)
    except ValueError:
        data = None
    try:
        return Head.from_json(data, ring)
    except BadHead as bad:
        return bad


def _last(ring: Keyring) -> Head | None:
    """The head of the newest file's last line, without reading the others."""
    for path in reversed(_files()):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LONGEST_LINE))
            lines = file.read().splitlines()
        head = _parse(lines[-1].decode(errors="replace"), ring) if lines else None
        return head if isinstance(head, Head) else None
    return None


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One write at the end of the file: lines of several sealers do not mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
