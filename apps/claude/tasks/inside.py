"""Reading what a task left, as if each name in it were a trap: one component at a time, no links, only files."""

import contextlib
import hashlib
import mimetypes
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.claude.spec import Artifact

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


def collect(workspace: Path, into: Path, delivered: dict[str, str], caps: Caps) -> tuple[Artifact, ...]:
    """Copy the files that a task left, except input files that it left as they were (`delivered`: SHA-256 by name).

    Nothing may run in the workspace any more. Names that are no text, links, devices, sockets and what exceeds the caps
    are left out.
    """
    kept: list[Artifact] = []
    total = 0
    root = os.open(workspace, _DIRECTORY)
    try:
        for name, fd in _files(root, "", caps.depth):
            with os.fdopen(fd, "rb") as source:
                size = os.fstat(fd).st_size
                if len(kept) >= caps.files or size > caps.file_bytes or total + size > caps.total_bytes:
                    continue
                digest = hashlib.file_digest(source, "sha256").hexdigest()
                if delivered.get(name) == digest:
                    continue
                source.seek(0)
                size = _copy(source.fileno(), into / name, caps.file_bytes)
                total += size
                kept.append(Artifact(name, size, mimetypes.guess_type(name)[0] or "application/octet-stream", digest))
    finally:
        os.close(root)
    return tuple(kept)


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


def _files(directory: int, prefix: str, depth: int) -> Iterator[tuple[str, int]]:
    """Every regular file below an open directory, by relative name, opened."""
    for name in sorted(filter(_is_plain, os.listdir(directory))):
        with contextlib.suppress(OSError):
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode) and depth:
                inner = os.open(name, _DIRECTORY, dir_fd=directory)
                try:
                    yield from _files(inner, f"{prefix}{name}/", depth - 1)
                finally:
                    os.close(inner)
            elif stat.S_ISREG(mode) and (fd := _open_file(name, directory)) is not None:
                yield f"{prefix}{name}", fd


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
