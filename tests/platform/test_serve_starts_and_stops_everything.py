import re
import shlex
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.platform.conftest import Serve, client, key_of, serving, started
from tests.support.databases import Migrated
from tests.support.processes import Program, assert_gone
from tests.support.waiting import eventually


def part(program: Program, *words: str) -> psutil.Process:
    """The oldest process of the service whose command line holds the words."""
    found = [one for one in program.offspring() if all(word in " ".join(one.cmdline()) for word in words)]
    assert found, f"nothing runs {words}"
    return min(found, key=lambda process: process.create_time())


def computed(program: Program) -> float:
    """Seconds of computing that a start took, for the machine may be busy with something else.

    It does little but load modules, one process after the other, so on an idle machine it takes about as long.
    """
    return sum(sum(part(program, name).cpu_times()[:2]) for name in ("serve", "run_web"))


@pytest.fixture(scope="module")
def demo_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(demo_dir: Path, migrated: Migrated) -> Iterator[Program]:
    """A demonstration beside real data and a real credential. Its parts are killed here; it has to come back."""
    with serving(demo_dir, migrated) as serve:
        program = serve("--demo", ANTHROPIC_AUTH_TOKEN="the-real-one", REDIS_URL="redis://127.0.0.1:1/0")
        started(program, ready=True)
        yield program


def test_the_first_start_shows_an_admin_and_a_key_once_and_the_next_start_is_fast(serve: Serve, data_dir: Path) -> None:
    first = serve(from_nothing=True)
    started(first)
    assert "user admin  password " in first.output
    key = key_of(first)
    assert client(first, key).get("/v1/models").status == 200
    secret = data_dir / "secret_key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    before = secret.read_text()
    made = computed(first)
    assert first.stop() == 0

    again = serve()
    started(again)
    assert computed(again) < made / 1.4, "the tables are not looked at again"
    assert "password" not in again.output
    assert "API key" not in again.output
    assert client(again, key).get("/v1/models").status == 200
    assert again.stop() == 0
    assert secret.read_text() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_parts_and_nothing_survives(serve: Serve, number: signal.Signals) -> None:
    program = serve("--demo")
    started(program, ready=True)
    names = ("run_web", "run_workers", "valkey", "apps.claude.scripted")
    parts = [part(program, name) for name in names]
    everything = program.offspring()
    assert len(everything) > len(parts)
    program.signal(number)
    eventually(lambda: program.exit_status is not None, seconds=60, message="no end")
    assert program.exit_status == 0
    assert_gone(everything)
    assert program.output.rstrip().endswith("stopped")


def test_nothing_survives_the_killing_of_the_supervisor(serve: Serve) -> None:
    program = serve("--demo")
    started(program, ready=True)
    assert client(program, key_of(program)).chat("Say hello.").status == 200
    everything = program.offspring()
    program.signal(signal.SIGKILL)
    assert_gone(everything)


def test_the_printed_curl_line_works_as_pasted(demo: Program) -> None:
    assert "DEMO: a scripted model answers. No real Claude" in demo.output
    pasted = re.search(r"(?ms)^  (curl .*?\}')$", demo.output)
    assert pasted
    assert shlex.split(pasted[1])[0] == "curl"
    answer = subprocess.run(["sh", "-c", pasted[1]], capture_output=True, text=True, timeout=60, check=True).stdout
    assert '"object":"chat.completion"' in answer.replace(": ", ":")


def test_the_demo_leaves_the_real_data_and_credential_alone(demo: Program, demo_dir: Path) -> None:
    assert sorted(path.name for path in (demo_dir / "data").iterdir()) == ["demo"]
    assert all("the-real-one" not in one.environ().values() for one in demo.offspring()[1:] if one.environ())


@pytest.mark.parametrize(("name", "called"), [("valkey", "Valkey"), ("run_web", "web"), ("run_workers", "workers")])
def test_a_part_that_dies_is_started_again(demo: Program, name: str, called: str) -> None:
    http = client(demo, key_of(demo))
    part(demo, name).kill()

    def works_again() -> bool:
        try:
            return http.get("/ready").status == 200 and http.chat("Say hello.").status == 200
        except OSError:
            return False

    restarted = f"{called} ended by itself (signal 9); starting it again"
    eventually(lambda: restarted in demo.output, seconds=60, message="its end was not noticed")
    eventually(works_again, seconds=120, every=0.2, message="did not come back")


def test_without_a_credential_it_starts_and_says_which_setting_is_missing(serve: Serve) -> None:
    program = serve()
    started(program, ready=True)
    assert "no credential: chats are answered with 503 until one of ANTHROPIC_API_KEY" in program.output
    http = client(program, key_of(program))
    for stream in (False, True):
        answer = http.chat("Say hello.", stream=stream)
        assert (answer.status, answer.json()["error"]["code"]) == (503, "credential_missing")
        assert "ANTHROPIC_API_KEY" in answer.json()["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert "credential" in str(http.get("/ready").json()["warnings"])
    assert http.get("/v1/models").status == 200


def test_a_personal_login_is_announced_with_its_warning(serve: Serve) -> None:
    program = serve(CLAUDE_CODE_OAUTH_TOKEN="a-login")
    started(program)
    assert "single-operator mode" in program.output
    assert "a-login" not in program.output


def test_stopping_in_the_middle_of_a_start_leaves_nothing_either(serve: Serve) -> None:
    program = serve("--demo")
    eventually(lambda: len(program.offspring()) > 1, seconds=60, message="nothing was started")
    everything = program.offspring()
    assert program.stop() == 0
    assert_gone(everything)
    assert "serving" not in program.output
