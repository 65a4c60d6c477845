"""A task's own directories on disk: HOME, workspace, and the generated plugin with its skills."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apps.claude import jail as walls
from apps.claude.jail import Mount
from apps.claude.tasks import skills as plugins
from apps.claude.taskspec import File, Skill

PLUGIN_INSIDE = "/opt/plugin"


@dataclass(frozen=True, slots=True)
class Room:
    """Made for one task, removed after it. Only this task's uid may look into HOME and workspace."""

    root: Path
    uid: int | None
    """Who owns them, where the service is root; None for the service's own user."""

    @classmethod
    def make(cls, parent: Path, uid: int | None) -> "Room":
        """A new, empty room below a directory that every uid may pass through."""
        parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        room = cls(Path(tempfile.mkdtemp(prefix="t", dir=parent)), uid)
        room.root.chmod(0o711)
        for directory in (room.home, room.workspace):
            directory.mkdir(mode=0o700)
            room._give(directory)
        room.plugin.mkdir(mode=0o755)
        return room

    @property
    def home(self) -> Path:
        """The task's HOME."""
        return self.root / "home"

    @property
    def workspace(self) -> Path:
        """Where the task works."""
        return self.root / "workspace"

    @property
    def plugin(self) -> Path:
        """The generated plugin; read-only inside."""
        return self.root / "plugin"

    def mounts(self) -> tuple[Mount, ...]:
        """What the jail sees of it."""
        return (
            Mount(self.home, walls.HOME_INSIDE, writable=True),
            Mount(self.workspace, walls.WORKSPACE_INSIDE, writable=True),
            Mount(self.plugin, PLUGIN_INSIDE),
        )

    def furnish(self, skills: tuple[Skill, ...]) -> None:
        """Lay out the granted skills."""
        if skills:
            plugins.write(self.plugin, skills)

    def deliver(self, files: tuple[File, ...]) -> dict[str, str]:
        """Put the task's input files into the workspace, before anything in the jail has run; their SHA-256 by name.

        Raises ValueError.
        """
        for file in files:
            path = PurePosixPath(file.name)
            if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in file.name:
                raise ValueError(f"{file.name[:100]!r} is not a relative path within the workspace")
            self.put(self.workspace / path, file.content)
        return {str(PurePosixPath(file.name)): hashlib.sha256(file.content).hexdigest() for file in files}

    def put(self, path: Path, content: bytes) -> None:
        """Write a file below the room, with the directories above it, as the task's own."""
        missing = [parent for parent in path.parents if not parent.exists()]
        for directory in reversed(missing):
            directory.mkdir(mode=0o755)
            self._give(directory)
        path.write_bytes(content)
        self._give(path)

    def remove(self) -> None:
        """Delete it, whatever the task left in it."""
        shutil.rmtree(self.root, onerror=_insist)

    def _give(self, path: Path) -> None:
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


def _insist(function: object, path: str, error: object) -> None:
    """A directory that its owner made unreadable is in nobody's way."""
    parent = Path(path).parent
    for directory in (parent, Path(path)):
        if directory.is_dir() and not directory.is_symlink():
            directory.chmod(0o700)
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        Path(path).unlink(missing_ok=True)
