"""Files that tasks left: where they are, how they are opened, how long they stay.

Names and contents are the model's, or worse. A file is opened component by component without following a link, and
only if the job's row lists it.
"""

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from apps.jobs import details
from apps.jobs.ids import created_at
from apps.jobs.models import Job

_PRUNE_SECONDS = 60.0
_last = {"pruned_at": float("-inf")}


class ArtifactNotFound(Exception):
    """The job left no such file."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The job left no file '{name[:200]}'.")


class ArtifactGone(Exception):
    """The job left it, but it is not kept any more."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name[:200]}' is not kept any more (ARTIFACT_DAYS, ARTIFACT_MAX_GB).")


@dataclass(frozen=True, slots=True)
class OpenArtifact:
    """A file to be read; whoever has it closes it."""

    name: str
    size: int
    file: BinaryIO


def directory(job_id: str) -> Path:
    """Where the engine puts what the job leaves."""
    return _root() / job_id


def open_artifact(*, job: Job, name: str) -> OpenArtifact:
    """A file of the job. Raises ArtifactNotFound for what it did not leave, ArtifactGone for what was pruned."""
    if name not in {each["name"] for each in details.read(job.details)["artifacts"]}:
        raise ArtifactNotFound(name)
    try:
        descriptor = _open_below(directory(job.pk), name.split("/"))
    except (OSError, ValueError):
        raise ArtifactGone(name) from None
    return OpenArtifact(name, os.fstat(descriptor).st_size, os.fdopen(descriptor, "rb"))


def _open_below(root: Path, parts: list[str]) -> int:
    """A descriptor of the regular file at `parts`. Raises OSError for anything else."""
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for part in parts:
            if part in ("", ".", ".."):
                raise FileNotFoundError(part)
            # A fifo would block, and a device would act, before anybody could look at it.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=here)
            os.close(here)
            here = inner
        if not stat.S_ISREG(os.fstat(here).st_mode):
            raise FileNotFoundError(parts[-1])
    except (OSError, ValueError):
        os.close(here)
        raise
    return here


def prune_sometimes(*, now: datetime) -> None:
    """`prune`, but not more often than once a minute: it looks at every folder."""
    if time.monotonic() - _last["pruned_at"] >= _PRUNE_SECONDS:
        _last["pruned_at"] = time.monotonic()
        prune(now=now)


def prune(*, now: datetime) -> int:
    """Remove what is older than ARTIFACT_DAYS, then the oldest until the rest takes ARTIFACT_MAX_GB. How many jobs'."""
    oldest_first = sorted(_folders())
    too_old = now - timedelta(days=settings.ARTIFACT_DAYS)
    sizes = {path: _size(path) for _, path in oldest_first}
    excess = sum(sizes.values()) - settings.ARTIFACT_MAX_GB * 1_000_000_000
    pruned = 0
    for made_at, path in oldest_first:
        if made_at >= too_old and excess <= 0:
            break
        if Job.objects.unfinished().filter(pk=path.name).exists():
            continue
        shutil.rmtree(path, ignore_errors=True)
        excess -= sizes[path]
        pruned += 1
    return pruned


def _folders() -> Iterator[tuple[datetime, Path]]:
    with contextlib.suppress(FileNotFoundError):
        for path in _root().iterdir():
            with contextlib.suppress(ValueError):
                yield created_at(path.name), path


def _size(root: Path) -> int:
    return sum(Path(folder, name).lstat().st_size for folder, _, names in os.walk(root) for name in names)


def _root() -> Path:
    return Path(settings.DATA_DIR) / "artifacts"
