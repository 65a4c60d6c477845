"""Reading what a task left, as if each name in it were a trap: one component at a time, no links, only files."""

import contextlib
import hashlib
import mimetypes
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from apps.claude.leftovers import Artifact, Skipped, SkipReason

MOST_NAMED = 100
"""Of what is not kept; the rest is only counted."""
_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of it is kept."""

    files: int = 500
    file_bytes: int = 64 << 20
    total_bytes: int = 256 << 20
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Usage:
    """What a directory tree holds."""

    bytes: int
    entries: int


def usage(root: Path, at_most: Usage) -> Usage:
    """Bytes on disk and entries of a tree that is being written to; the count stops where it exceeds `at_most`."""
    size = entries = 0
    pending = [str(root)]
    while pending and size <= at_most.bytes and entries <= at_most.entries:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:
            for entry in found:
                entries += 1
                with contextlib.suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    size += facts.st_blocks * 512
                    if stat.S_ISDIR(facts.st_mode):
                        pending.append(entry.path)
                if entries > at_most.entries:
                    break
    return Usage(size, entries)


@dataclass(slots=True)
class Collected:
    """What was copied, and what was not, and why."""

    kept: list[Artifact] = field(default_factory=list)
    total: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    skipped_count: int = 0

    def skip(self, name: str, reason: SkipReason, size: int | None = None) -> None:
        """Count it, and name it as long as there are not too many."""
        self.skipped_count += 1
        if len(self.skipped) < MOST_NAMED:
            self.skipped.append(Skipped(_shown(name), reason, size))

    def has_room(self, name: str, size: int, caps: Caps) -> bool:
        """Whether a file may be kept; noted where it may not."""
        if size > caps.file_bytes:
            self.skip(name, "too_large", size)
        elif len(self.kept) >= caps.files:
            self.skip(name, "too_many", size)
        elif self.total + size > caps.total_bytes:
            self.skip(name, "total_too_large", size)
        else:
            return True
        return False


def collect(workspace: Path, into: Path, delivered: dict[str, str], caps: Caps) -> Collected:
    """Copy the files that a task left, except input files that it left as they were (`delivered`: SHA-256 by name).

    Nothing may run in the workspace any more. Names that are no text, links, devices, sockets and what exceeds the caps
    are left out, and named.
    """
    found = Collected()
    root = os.open(workspace, _DIRECTORY)
    try:
        for name, fd in _files(root, "", caps.depth, found):
            with os.fdopen(fd, "rb") as source:
                size = os.fstat(fd).st_size
                is_input = name in delivered and size <= caps.file_bytes
                digest = hashlib.file_digest(source, "sha256").hexdigest() if is_input else ""
                if (is_input and delivered[name] == digest) or not found.has_room(name, size, caps):
                    continue
                source.seek(0)
                digest = digest or hashlib.file_digest(source, "sha256").hexdigest()
                source.seek(0)
                size = _copy(source.fileno(), into / name, caps.file_bytes)
                found.total += size
                media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
                found.kept.append(Artifact(name, size, media_type, digest))
    finally:
        os.close(root)
    return found


def open_regular(root: Path, *parts: str) -> int | None:
    """A descriptor of a regular file below a directory; None where any component is a link, or it is anything else."""
    fd = os.open(root, _DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        return _open_file(parts[-1], fd)
    except OSError:
        return None
    finally:
        os.close(fd)


def _files(directory: int, prefix: str, depth: int, found: Collected) -> Iterator[tuple[str, int]]:
    """Every regular file below an open directory, by relative name, opened; the rest is noted."""
    for leaf in sorted(os.listdir(directory)):
        name = f"{prefix}{leaf}"
        try:
            facts = os.stat(leaf, dir_fd=directory, follow_symlinks=False)
            size = facts.st_size if stat.S_ISREG(facts.st_mode) else None
            if reason := _fault(leaf, facts.st_mode, depth):
                found.skip(name, reason, size)
            elif stat.S_ISDIR(facts.st_mode):
                inner = os.open(leaf, _DIRECTORY, dir_fd=directory)
                try:
                    yield from _files(inner, f"{name}/", depth - 1, found)
                finally:
                    os.close(inner)
            elif (fd := _open_file(leaf, directory)) is not None:
                yield name, fd
        except OSError:
            found.skip(name, "unreadable")


def _fault(leaf: str, mode: int, depth: int) -> SkipReason | None:
    """Why this entry of a directory is not looked into, or None."""
    if stat.S_ISLNK(mode):
        return "link"
    if not _is_plain(leaf):
        return "name"
    if stat.S_ISDIR(mode):
        return None if depth else "too_deep"
    return None if stat.S_ISREG(mode) else "not_a_file"


def _shown(name: str) -> str:
    """A name as it can be stored and shown, whatever it is made of."""
    text = "".join(char if _is_plain(char) else ascii(char)[1:-1] for char in name)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _is_plain(name: str) -> bool:
    """Text that can be shown and stored."""
    return name.isprintable() and not any("\ud800" <= char <= "\udfff" for char in name)


def _open_file(name: str, directory: int) -> int | None:
    fd = os.open(name, _FILE, dir_fd=directory)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _copy(source: int, target: Path, at_most: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    copied = 0
    with target.open("wb") as out:
        while copied < at_most and (chunk := os.read(source, min(_CHUNK, at_most - copied))):
            copied += out.write(chunk)
    return copied
