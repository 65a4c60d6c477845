from pathlib import Path

import psutil

from apps.claude.credential import Credential
from apps.claude.engine import Engine
from apps.claude.jail import HOME_INSIDE
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Text
from tests.claude.conftest import SECRET, ask, begin, spec


def test_it_reaches_the_upstream_and_nothing_else(engine: Engine, model: ScriptedModel, marker: str) -> None:
    run = spec(f"[[tokens: 100]] [[rate: 50]] {marker}")
    seen: list[str] = []

    def look(event: object) -> None:
        if isinstance(event, Text) and not seen:
            seen.extend(_all_that_the_jail_could_read(engine))

    assert begin(engine, run, look).done().status == "completed"
    assert len(seen) > 5
    assert "dummy-key-the-egress-holds-the-real-one" in "".join(seen), "the jails' environments were really read"
    assert not [text for text in seen if SECRET in text]
    (entry,) = model.journal.entries(marker)
    assert dict(entry["headers"])["x-api-key"] == SECRET  # type: ignore[call-overload]


def test_what_the_jail_sends_as_credential_is_dropped(engine: Engine, model: ScriptedModel, marker: str) -> None:
    assert ask(engine, marker).status == "completed"
    (entry,) = model.journal.entries(marker)
    assert "dummy-key" not in str(entry["headers"])


def test_each_kind_of_credential_goes_into_its_own_header() -> None:
    for variable, header, value in (
        ("ANTHROPIC_API_KEY", "x-api-key", "dummy"),
        ("ANTHROPIC_AUTH_TOKEN", "authorization", "Bearer dummy"),
        ("CLAUDE_CODE_OAUTH_TOKEN", "authorization", "Bearer dummy"),
    ):
        credential = Credential.from_env({variable: "dummy"})
        assert credential is not None
        assert credential.setting == variable
        assert (credential.warning is not None) == (credential.kind == "oauth")
        assert "dummy" not in repr(credential)
        headers = {"anthropic-beta": "a"}
        credential.apply(headers)
        assert headers[header] == value
    assert Credential.from_env({"ANTHROPIC_API_KEY": " "}) is None


def _all_that_the_jail_could_read(engine: Engine) -> list[str]:
    """Environment, arguments and every file of the lanes, of every process around the CLIs."""
    assert engine._pool is not None
    texts = []
    for live in engine._pool.processes():
        try:
            family = [psutil.Process(live.cli.pid), *psutil.Process(live.cli.pid).children(recursive=True)]
            for process in family:
                texts += [str(process.environ()), " ".join(process.cmdline())]
        except psutil.Error:
            continue
        texts += [path.read_text(errors="replace") for path in live.lane.directory.rglob("*") if path.is_file()]
        homes = Path("/proc", str(family[-1].pid), "root", HOME_INSIDE.lstrip("/"))
        texts += [path.read_text(errors="replace") for path in homes.rglob("*") if path.is_file()]
    return texts
