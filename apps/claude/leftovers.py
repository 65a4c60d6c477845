"""What a task leaves in its workspace: files that are kept, and what is not, with the reason."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a task left, copied to its `artifacts_dir`."""

    name: str
    """Relative path in the workspace."""
    size: int
    """Bytes."""
    media_type: str
    sha256: str


SkipReason = Literal["too_large", "total_too_large", "too_many", "too_deep", "link", "not_a_file", "unreadable", "name"]
"""Larger than one file may be, than what is left for all, more files than may be kept, deeper than is looked; or no
regular file, not to be opened, not to be named."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that a task left and that is not kept."""

    name: str
    """Relative path; what is no printable text is escaped."""
    reason: SkipReason
    size: int | None
    """Bytes of a regular file."""
