import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.support.processes import nothing_survives
from tests.support.scripted import ScriptedServer

MODEL = "claude-sonnet-4-6"


@pytest.fixture
def sdk(scripted_model: ScriptedServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=scripted_model.url, api_key="sk-test", max_retries=0)


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_the_official_sdk_reads_whole_answers(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(model=MODEL, max_tokens=100, messages=user("[[think: hm]] [[say: Hello]]"))
    thinking, text = message.content
    assert (thinking.type, text.type) == ("thinking", "text")
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 3)


def test_the_official_sdk_reads_streams(sdk: anthropic.Anthropic) -> None:
    prompt = user('[[tool: weather {"city": "Zürich"}]]')
    with sdk.messages.stream(model=MODEL, max_tokens=100, messages=prompt) as stream:
        message = stream.get_final_message()
    (call,) = message.content
    assert call.type == "tool_use"
    assert (call.name, call.input, message.stop_reason) == ("weather", {"city": "Zürich"}, "tool_use")


def test_the_official_sdk_counts_tokens(sdk: anthropic.Anthropic) -> None:
    assert sdk.messages.count_tokens(model=MODEL, messages=user("four" * 3)).input_tokens == 3


def test_the_official_sdk_knows_the_errors(sdk: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.RateLimitError) as limited:
        sdk.messages.create(model=MODEL, max_tokens=9, messages=user("[[fail: 429 retry-after=3]]"))
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.create(model="gpt", max_tokens=9, messages=user("x"))


def test_the_official_sdk_retries_until_it_is_answered(sdk: anthropic.Anthropic, marker: str) -> None:
    patient = sdk.with_options(max_retries=2)
    prompt = user(f"{marker} [[fail: 529 retry-after=0.01 times=2]] [[say: at last]]")
    (text,) = patient.messages.create(model=MODEL, max_tokens=9, messages=prompt).content
    assert text.type == "text"
    assert text.text == "at last"


class Cli:
    """The real CLI, started anew for each question."""

    def __init__(self, url: str, directory: Path) -> None:
        spec = importlib.util.find_spec("claude_agent_sdk")
        assert spec is not None
        assert spec.origin is not None
        self._program = str(Path(spec.origin).parent / "_bundled" / "claude")
        self._directory = directory
        self._environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "sk-test",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "DISABLE_AUTOUPDATER": "1",
        }

    def ask(self, text: str, *arguments: str) -> dict[str, Any]:
        """The result that it prints."""
        command = [self._program, "-p", "--output-format", "json", "--setting-sources", "", *arguments]
        done = subprocess.run(
            command,
            input=text,
            cwd=self._directory,
            env=self._environ,
            stdout=subprocess.PIPE,
            timeout=60,
            text=True,
            check=False,  # it ends with status 1 when the model fails
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@pytest.fixture
def cli(scripted_model: ScriptedServer, tmp_path: Path) -> Cli:
    return Cli(scripted_model.url, tmp_path)


def test_the_real_cli_is_answered_and_reports_the_models_usage(
    cli: Cli, scripted_model: ScriptedServer, marker: str
) -> None:
    with nothing_survives():
        result = cli.ask(f"{marker} [[say: I am scripted]]", "--tools", "", "--system-prompt", "Be brief.")
    assert (result["result"], result["is_error"], result["num_turns"]) == ("I am scripted", False, 1)
    usage = scripted_model.log.one(marker)["usage"]
    assert usage["cache_creation_input_tokens"] > 0
    assert {name: result["usage"][name] for name in usage if name.endswith("_tokens")} == {
        name: count for name, count in usage.items() if name.endswith("_tokens")
    }


def test_the_real_cli_runs_the_tools_it_is_asked_to_run(cli: Cli, scripted_model: ScriptedServer, marker: str) -> None:
    parallel = (
        '[[tools: [{"name":"Bash","input":{"command":"echo b$((1+1))"}},{"name":"Read","input":{"file_path":"x"}}]]]'
    )
    prompt = f'{marker} [[tool: Bash {{"command":"echo a$((40+2))"}}]] {parallel} [[say: all done]]'
    result = cli.ask(prompt, "--tools", "Bash,Read", "--allowedTools", "Bash,Read", "--permission-mode", "dontAsk")
    assert result["result"] == "all done"
    entries = scripted_model.log.containing(marker)
    assert len(entries) == 3
    results = [
        str(block["content"])
        for message in entries[-1]["body"]["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    # Parallel calls may be answered in any order.
    assert results[0] == "a42"
    assert "b2" in results[1:]
    assert any("does not exist" in result for result in results[1:])


def test_the_real_cli_reads_its_conversation_from_the_cache(
    cli: Cli, scripted_model: ScriptedServer, marker: str
) -> None:
    cli.ask(f'{marker} [[tool: Bash {{"command":"true"}}]] [[say: ok]]', "--tools", "Bash", "--allowedTools", "Bash")
    first, second = (entry["usage"] for entry in scripted_model.log.containing(marker))
    assert second["cache_read_input_tokens"] >= first["cache_creation_input_tokens"] > 0


def test_the_real_cli_sees_a_failing_model(cli: Cli) -> None:
    result = cli.ask("[[fail: 529 retry-after=7]]", "--tools", "")
    assert (result["is_error"], result["api_error_status"]) == (True, 529)
