"""`bin/_env` in a repository of its own whose lock file holds nothing, so that no package has to be fetched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

SHELL = shutil.which("sh") or "/bin/sh"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "a repository with spaces"
    (root / "requirements").mkdir(parents=True)
    for name in ("base.txt", "dev.txt"):
        (root / "requirements" / name).write_text("# nothing\n")
    shutil.copytree(ROOT / "bin", root / "bin")
    (root / "manage.py").write_text("import sys; print('ran on', '%d.%d' % sys.version_info[:2], sys.argv[1:])\n")
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what the scripts use and, before all else, no Python that works."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in ("sh", "dirname", "mkdir", "rm", "cat", "cmp", "cp", "grep", "sleep"):
        found = shutil.which(name)
        assert found
        (directory / name).symlink_to(found)
    return directory


def broken(programs: Path, name: str, line: str = "exit 127") -> None:
    """Like a version manager's shim for a version that is not installed."""
    (programs / name).write_text(f"#!{SHELL}\n{line}\n")
    (programs / name).chmod(0o755)


def working(programs: Path, name: str) -> None:
    (programs / name).write_text(f'#!{SHELL}\nexec "{Path(sys.executable).resolve()}" "$@"\n')
    (programs / name).chmod(0o755)


def manage(repository: Path, programs: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHELL, str(repository / "bin" / "manage"), "check", "--x"],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/"), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_no_fitting_python_is_one_clear_line(repository: Path, programs: Path) -> None:
    broken(programs, "python3.11")
    broken(programs, "python3", "exit 1")  # a Python that is too old says so with its status
    done = manage(repository, programs)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11, 3.12 or 3.13" in done.stderr
    assert not (repository / ".venv").exists()


def test_a_chosen_python_that_does_not_fit_is_named(repository: Path, programs: Path) -> None:
    working(programs, "python3")
    broken(programs, "python3.14", "exit 1")
    done = manage(repository, programs, PYTHON="python3.14")
    assert done.returncode == 1
    assert "PYTHON=python3.14 is none" in done.stderr


def test_the_environment_is_made_once_and_made_again_when_the_lock_file_changes(
    repository: Path, programs: Path
) -> None:
    broken(programs, "python3.11")  # a shim that does not run is passed over
    working(programs, "python3.13")
    gone = subprocess.Popen([SHELL, "-c", "exit 0"])
    gone.wait()
    (repository / ".venv.lock").mkdir()  # of an installation that died
    (repository / ".venv.lock" / "pid").write_text(str(gone.pid))
    first = manage(repository, programs)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"ran on {VERSION} ['check', '--x']\n"
    assert "installing 0 packages from requirements/base.txt" in first.stderr
    second = manage(repository, programs)
    assert (second.stdout, second.stderr) == (first.stdout, ""), "the second start installs nothing"

    lock_file = repository / "requirements" / "base.txt"
    lock_file.write_text("no-such-package==1.0 --hash=sha256:0\n")
    failed = manage(repository, programs, PIP_NO_INDEX="1")
    assert failed.returncode == 1
    assert "error: installing requirements/base.txt failed" in failed.stderr
    assert not (repository / ".venv.lock").exists()
    lock_file.write_text("# nothing\n")
    assert "installing 0 packages" in manage(repository, programs).stderr, "a failed installation is repeated"

    (repository / "requirements" / "dev.txt").write_text("# nothing, but more of it\n")
    script = '. "$1/bin/_env"; environment dev'
    command = [SHELL, "-euc", script, str(repository / "bin" / "test"), str(repository)]
    made = subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)
    assert "requirements/dev.txt" in made.stderr
    assert manage(repository, programs).stderr == "", "what is for development serves the service too"
