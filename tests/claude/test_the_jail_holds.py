"""The same walls that stand around the CLI, with a shell in its place that tries to get out."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from apps.claude import jail as walls
from apps.claude.engine import Engine


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    return tmp_path


def shell(engine: Engine, lane: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where the CLI would be."""
    assert engine.jail is not None, f"this machine has no working jail: {engine.jail_fault}"
    assert engine.cli is not None
    environment = {"HOME": walls.HOME_INSIDE, "PATH": "/usr/bin:/bin"}
    fd = walls.arguments_fd(engine.jail.arguments(cli=engine.cli, lane=lane, environment=environment))
    try:
        return subprocess.run(
            [*engine.jail.prefix(fd), "/bin/sh", "-c", f"{script}\necho attempted"],
            pass_fds=[fd],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(fd)


def test_host_files_are_not_there(engine: Engine, lane: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = shell(engine, lane, f"cat /etc/passwd /etc/shadow /etc/hostname {root}/manage.py; ls /root /home /var /work")
    assert done.stdout.splitlines() == ["/home:", "agent", "attempted"]


def test_the_network_is_not_there(engine: Engine, lane: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        script = f'python3 -c "{connect}" || bash -c "</dev/tcp/127.0.0.1/{port}"'
        done = shell(engine, lane, f"{script} && echo connected; cat /proc/net/dev | grep -v -e lo: -e '|'")
    assert done.stdout == "attempted\n"
    assert "refused" in done.stderr.lower() or "unreachable" in done.stderr.lower()


def test_no_other_process_is_visible_and_none_of_the_workers_environment(engine: Engine, lane: Path) -> None:
    os.environ["CCS_TEST_SECRET"] = "must-not-be-seen"
    try:
        done = shell(engine, lane, "ls -d /proc/[0-9]* | wc -l; cat /proc/*/environ | tr '\\0' '\\n'; id -u")
    finally:
        del os.environ["CCS_TEST_SECRET"]
    lines = done.stdout.splitlines()
    assert int(lines[0]) <= 5
    assert "must-not-be-seen" not in done.stdout
    assert lines[-2:] == ["1000", "attempted"]


def test_nothing_of_the_system_can_be_written(engine: Engine, lane: Path) -> None:
    done = shell(
        engine,
        lane,
        "for f in /usr/x /opt/claude/claude /run/egress/x /proc/sys/kernel/core_pattern /etc/x /bin/x; do"
        " (echo x > $f) 2>/dev/null && echo wrote $f; done;"
        " unshare -Ur true 2>/dev/null && echo namespaces; mount -t tmpfs x /mnt 2>/dev/null && echo mounted",
    )
    # /etc is the jail's own empty directory; what is written there ends with it.
    assert done.stdout.replace("wrote /etc/x\n", "") == "attempted\n"


def test_tmp_is_private_and_bounded(engine: Engine, lane: Path) -> None:
    done = shell(engine, lane, "dd if=/dev/zero of=/tmp/big bs=1M count=200 2>&1 | tail -1; ls /tmp")
    assert "No space left" in done.stdout + done.stderr or "67108864" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["big", "attempted"]


def test_a_root_service_is_not_root_in_its_jail(engine: Engine, lane: Path) -> None:
    done = shell(engine, lane, "stat -c %u /usr; grep -E 'CapEff' /proc/self/status")
    owner_of_roots_files, capabilities, attempted = done.stdout.splitlines()
    assert owner_of_roots_files == "65534", "the host's root is mapped into the jail"
    assert (capabilities.split()[1], attempted) == ("0000000000000000", "attempted")
