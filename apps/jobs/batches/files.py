"""The files of projects: requests that come in as JSONL, answers that go out. Rows are the truth, contents lie beside.

Content is below `DATA_DIR/files`, in a folder for each project; nodes of one install share it.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from apps.audit import services as audit
from apps.jobs.batches.models import StoredFile
from apps.jobs.ids import new_id
from apps.keys.models import ApiKey, Project

PREFIX = "file-"
MAX_BYTES = 30 * 1024 * 1024
"""Of a file that is sent: no request's body may be much larger."""
MAX_PROJECT_BYTES = 1024 * 1024 * 1024
"""Of all files of a project that were sent and not deleted, outputs included."""


class FileNotStored(Exception):
    """The project has no such file, or its content is gone."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"There is no file '{file_id[:64]}'.")


class FileTooLarge(Exception):
    """A single file is larger than files may be."""

    def __init__(self) -> None:
        super().__init__(f"A file takes at most {MAX_BYTES // 1024**2} MB; send several.")


class ProjectFull(Exception):
    """The project's files take all the room they may."""

    def __init__(self) -> None:
        super().__init__(f"The files of a project take at most {MAX_PROJECT_BYTES // 1024**2:,} MB; delete some.")


def store(*, key: ApiKey, purpose: str, filename: str, content: bytes, now: datetime) -> StoredFile:
    """Keep a file for the key's project. Raises FileTooLarge or ProjectFull."""
    if len(content) > MAX_BYTES:
        raise FileTooLarge
    used = StoredFile.objects.of(key.project).aggregate(sum=Sum("size_bytes", default=0))["sum"]
    if used + len(content) > MAX_PROJECT_BYTES:
        raise ProjectFull
    row = StoredFile(
        id=new_id(PREFIX, now),
        project=key.project,
        purpose=purpose,
        filename=filename,
        size_bytes=len(content),
        created_at=now,
    )
    _write(row, [content])
    with transaction.atomic():
        row.save(force_insert=True)
        _record("file.stored", key, row, now)
    return row


def store_output(*, project: Project, batch_id: str, name: str, lines: Iterable[bytes], now: datetime) -> str:
    """Keep what a batch wrote, and the file's id; empty where there is not a line. Again with the same lines: the same.

    The id follows from the batch and the name, so that an end that is made twice leaves one file.
    """
    digest = hashlib.sha256(f"{batch_id}/{name}".encode()).hexdigest()[:32]
    row = StoredFile(id=PREFIX + digest, project=project, purpose="batch_output", created_at=now)
    row.filename = f"{batch_id}_{name}.jsonl"
    row.size_bytes = _write(row, lines)
    if not row.size_bytes:
        _path(row).unlink()
        return ""
    StoredFile.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["id"], update_fields=["size_bytes", "created_at"]
    )
    return row.id


def find(*, key: ApiKey, file_id: str) -> StoredFile:
    """A file of the key's project. Raises FileNotStored, also for another project's."""
    row = StoredFile.objects.of(key.project).filter(pk=file_id[:64]).first()
    if row is None:
        raise FileNotStored(file_id)
    return row


def open_file(row: StoredFile) -> BinaryIO:
    """Its content, to be closed by whoever asked. Raises FileNotStored."""
    try:
        return _path(row).open("rb")
    except FileNotFoundError:
        raise FileNotStored(row.id) from None


def delete(*, key: ApiKey, row: StoredFile, now: datetime) -> None:
    """Remove a file. A batch that was made of it goes on: it has read it."""
    with transaction.atomic():
        StoredFile.objects.filter(pk=row.pk).delete()
        _record("file.deleted", key, row, now)
        transaction.on_commit(lambda: _path(row).unlink(missing_ok=True))


def _path(row: StoredFile) -> Path:
    """Ids are ours, so no name of a client is ever part of a path."""
    return Path(settings.DATA_DIR) / "files" / str(row.project_id) / row.id


def _write(row: StoredFile, pieces: Iterable[bytes]) -> int:
    """Write the content where it will be found, whole or not at all. How many bytes."""
    path = _path(row)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = 0
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    return size


def _record(action: str, key: ApiKey, row: StoredFile, now: datetime) -> None:
    audit.record(
        actor=f"key:{key.public_id}",
        action=action,
        target_type="file",
        target_id=row.id,
        project_id=key.project.slug,
        data={"purpose": row.purpose, "size_bytes": row.size_bytes},
        now=now,
    )
