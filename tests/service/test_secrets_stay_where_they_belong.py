from pathlib import Path

from tests.support.scripted import ScriptedServer
from tests.support.service import UPSTREAM_KEY, Service


def test_the_credential_is_in_no_log_no_row_and_no_jail(
    service: Service, scripted_model: ScriptedServer, marker: str
) -> None:
    assert service.alice.http.chat(f"hello {marker}").status == 200
    with service.alice.http.chat_stream(f"[[fail: 401]] {marker}") as stream:
        stream.read()
    assert scripted_model.log.containing(marker)[0]["headers"]["x-api-key"] == UPSTREAM_KEY, "it was really used"
    files = [path for path in service.data_dir.rglob("*") if path.is_file()]
    assert [path for path in files if marker.encode() in path.read_bytes()], "the database was really read"
    assert not [path for path in files if UPSTREAM_KEY.encode() in path.read_bytes()]
    assert UPSTREAM_KEY not in service.output
    assert marker not in service.output, "prompts are not logged"
    clis = [process for process in service.find("--input-format", "stream-json") if process.name() == "claude"]
    assert clis
    for cli in clis:
        assert UPSTREAM_KEY not in str(cli.environ()) + " ".join(cli.cmdline())
        root = Path(f"/proc/{cli.pid}/root")
        for folder in ("home/agent", "tmp", "workspace", "run"):
            inside = [path for path in (root / folder).rglob("*") if path.is_file()]
            assert not [path for path in inside if UPSTREAM_KEY.encode() in path.read_bytes()]


def test_a_keys_secret_is_nowhere_on_the_disk(service: Service) -> None:
    secret = service.alice.key
    assert service.alice.http.get("/v1/models").status == 200
    for path in service.data_dir.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()
    assert secret not in service.output
