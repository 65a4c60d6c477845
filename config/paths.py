"""Where an install keeps its things: the data directory, the secret key, and a short directory for sockets."""

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from config.env import Misconfigured

# A unix socket's path must be shorter than 108 bytes; the engine puts names of up to 40 bytes below the directory.
LONGEST_RUNTIME_DIR_BYTES = 50


def prepare_data_dir(path: Path) -> Path:
    """Makes the data directory, readable by its owner only. Raises Misconfigured when it cannot be written to."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f".write-test-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise Misconfigured(f"DATA_DIR {path} cannot be written to: {error.strerror}") from None
    return path


def secret_key(data_dir: Path) -> str:
    """The install's secret key, made on first use; of several first users one wins and all get the same key."""
    path = data_dir / "secret_key"
    if not path.exists():
        draft = data_dir / f".secret_key-{os.getpid()}-{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = path.read_text().strip()
    if len(key) < 32:
        raise Misconfigured(f"{path} holds no usable key; remove it to get a new one (which ends all API keys)")
    return key


def runtime_dir(data_dir: Path) -> Path:
    """A directory of ours alone for sockets, whose path is short; below DATA_DIR, else in the system's tempdir.

    Started as root, it is always the tempdir and may be passed through by others: the CLI's jail runs under an
    unprivileged user who must reach its own socket, and DATA_DIR is closed to that user.
    """
    as_root = os.geteuid() == 0
    below = data_dir / "run"
    if not as_root and len(os.fsencode(below)) <= LONGEST_RUNTIME_DIR_BYTES:
        path = below
    else:
        digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"ccs-{os.geteuid()}-{digest}"
    mode = 0o711 if as_root else 0o700
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise Misconfigured(f"{path}, the directory for sockets, cannot be made: {error.strerror}") from None
    # The tempdir is shared: somebody else may have put a link or a directory of theirs there.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Misconfigured(f"{path}, the directory for sockets, belongs to somebody else; remove it or set TMPDIR")
    path.chmod(mode)
    return path
