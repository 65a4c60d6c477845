"""A conversation that outlives its task: the CLI's own transcript, kept between the tasks of a session."""

import json
import os
import re
from pathlib import Path

from apps.claude.tasks import inside
from apps.claude.tasks.room import Room

_TRANSCRIPTS = (".claude", "projects", "-workspace")
"""Where the CLI keeps them below HOME, for the directory that every task works in."""
_KEPT, _NOTE = "transcript.jsonl", "session.json"
_ID = re.compile(r"[0-9a-f-]{36}")
_MAX_BYTES = 64 << 20


def kept(directory: Path | None) -> str | None:
    """The CLI's id of the conversation that is kept there, or None."""
    if directory is None or not (directory / _KEPT).is_file():
        return None
    try:
        session_id = str(json.loads((directory / _NOTE).read_text(encoding="utf-8"))["cli_session_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return session_id if _ID.fullmatch(session_id) else None


def restore(directory: Path | None, room: Room) -> None:
    """Put the kept conversation, if there is one, into a new room. Raises OSError."""
    if directory is not None and (session_id := kept(directory)):
        transcript = (directory / _KEPT).read_bytes()
        room.put(room.home.joinpath(*_TRANSCRIPTS, f"{session_id}.jsonl"), transcript)


def keep(directory: Path | None, room: Room, session_id: str) -> None:
    """Keep the conversation of a task that is over; what it left in place of a transcript is not followed."""
    if directory is None or not _ID.fullmatch(session_id):
        return
    fd = inside.open_regular(room.home, *_TRANSCRIPTS, f"{session_id}.jsonl")
    if fd is None:
        return
    with os.fdopen(fd, "rb") as source:
        transcript = source.read(_MAX_BYTES + 1)
    if len(transcript) > _MAX_BYTES:
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(directory / _KEPT, transcript)
    _replace(directory / _NOTE, json.dumps({"cli_session_id": session_id}).encode())


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_bytes(content)
    draft.replace(path)
