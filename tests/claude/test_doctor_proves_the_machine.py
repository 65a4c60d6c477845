from apps.claude.credential import Credential
from apps.claude.doctor import examine
from apps.claude.engine import EngineConfig
from apps.claude.scripted.server import ScriptedModel, ScriptedThread


def _config(model: ScriptedModel, credential: Credential | None, cli: str | None = None) -> EngineConfig:
    return EngineConfig(cli_path=cli, credential=credential, upstream=model.url)


def test_a_healthy_machine_passes_every_check(model: ScriptedModel) -> None:
    checks = examine(_config(model, Credential("api_key", "dummy")), call=True)
    assert [check.name for check in checks] == [
        "cli", "jail", "limits", "network", "egress", "verbatim", "rewind", "set_model", "credential", "call",
    ]  # fmt: skip
    assert {check.state for check in checks} == {"ok"}, checks


def test_each_fault_is_named(model: ScriptedModel) -> None:
    by_name = {check.name: check for check in examine(_config(model, None), call=True)}
    assert by_name["credential"].state == "fail"
    assert "ANTHROPIC_API_KEY" in by_name["credential"].detail
    (missing,) = examine(_config(model, None, "/nonexistent/claude"), call=False)
    assert (missing.name, missing.state) == ("cli", "fail")
    broken = {check.name: check for check in examine(_config(model, None, "/bin/false"), call=False)}
    assert (broken["cli"].state, broken["egress"].state) == ("fail", "fail")


def test_the_upstreams_refusal_is_shown() -> None:
    with ScriptedThread(ScriptedModel(require_key="another")) as strict:
        checks = examine(_config(strict, Credential("api_key", "dummy")), call=True)
    assert checks[-1].name == "call"
    assert checks[-1].state == "fail"
    assert "credential" in checks[-1].detail
