import fcntl
import shutil
import socket
from pathlib import Path

import pytest

from config import preflight
from config.env import Misconfigured
from tests.platform.conftest import refusal


def test_a_taken_port_is_one_clear_line(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"port {port} on 127.0.0.1 is taken" in refusal(data_dir, "--port", port)


def test_an_address_of_another_machine_is_one_clear_line(data_dir: Path) -> None:
    assert "cannot listen on 192.0.2.1 port 0" in refusal(data_dir, "--host", "192.0.2.1", "--port", "0")
    assert "is not an address" in refusal(data_dir, "--host", "no such host", "--port", "0")


def test_an_unwritable_data_directory_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    said = refusal(file / "data")
    assert f"DATA_DIR {file}/data cannot be written to: Not a directory" in said


def test_a_full_disk_is_one_clear_line(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage("/")._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    with pytest.raises(Misconfigured, match="no space: 5 MB are free in DATA_DIR"):
        preflight.check(host="127.0.0.1", port=0, workers=None, demo=False)


def test_a_wrong_setting_is_one_clear_line(data_dir: Path) -> None:
    assert "WORKERS must be a whole number" in refusal(data_dir, WORKERS="many")
    assert "LOG_FORMAT must be console or json" in refusal(data_dir, LOG_FORMAT="xml")


def test_a_valkey_that_is_not_there_is_one_clear_line(data_dir: Path) -> None:
    assert "VALKEY_SERVER /nowhere/valkey" in refusal(data_dir, "--port", "0", VALKEY_SERVER="/nowhere/valkey")


def test_a_second_service_on_the_same_data_is_one_clear_line(data_dir: Path) -> None:
    data_dir.mkdir()
    with (data_dir / "serve.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "already running on DATA_DIR" in refusal(data_dir, "--port", "0")


def test_a_directory_for_sockets_that_is_somebody_else_s_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config import paths

    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    data_dir = tmp_path / ("a-path-too-long-for-sockets" * 3)
    place = paths.runtime_dir(data_dir)
    assert len(str(place / "valkey.sock")) < 108 + len(str(tmp_path))
    place.rmdir()
    place.symlink_to("/etc")
    with pytest.raises(Misconfigured, match="belongs to somebody else"):
        paths.runtime_dir(data_dir)
