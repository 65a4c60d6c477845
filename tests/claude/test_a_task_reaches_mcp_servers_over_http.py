"""The operator's MCP servers over HTTP, real CLI and real server: reached from a jail that knows no secret."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from apps.claude.engine import Engine
from apps.claude.network.connection import Connection
from apps.claude.network.door import PORT
from apps.claude.taskspec import TaskSpec
from tests.claude.tasks import Done, bash, call, do, task
from tests.support.remotemcp import RemoteServer, serving

TOKEN = "token-that-no-jail-may-know-any"
SEARCH, ERASE = "mcp__tickets__search", "mcp__tickets__erase"


@pytest.fixture(params=["http", "sse"])
def remote(request: pytest.FixtureRequest) -> Iterator[tuple[str, RemoteServer]]:
    with serving(request.param, TOKEN) as server:
        yield request.param, server


def servers(kind: str, server: RemoteServer, token: str = TOKEN) -> dict[str, object]:
    headers = {"authorization": f"Bearer {token}"}
    return {"tickets": {"type": kind, "url": server.url, "headers": headers}}


def connections(done: Done) -> list[Connection]:
    return [event for event in done.events if isinstance(event, Connection)]


def test_a_granted_tool_is_called_and_the_others_are_not(engine: Engine, remote: tuple[str, RemoteServer]) -> None:
    kind, server = remote
    asked = task(call(SEARCH, query="bottles"), call(ERASE), "[[say: done]]", tools=(SEARCH,))
    done = do(engine, _with(asked, servers(kind, server)))

    assert done.outcome.status == "completed", done.outcome
    assert "one ticket about bottles" in done.result_of(0).content
    assert done.result_of(1).is_error
    assert server.called == ["search"]
    assert {sent["authorization"] for sent in server.requests} == {f"Bearer {TOKEN}"}
    told = connections(done)
    assert {(each.host, str(each.port)) for each in told} == {("tickets", server.url.split(":")[2].split("/")[0])}
    assert "127.0.0.1" in {each.address for each in told}
    assert not [each for each in told if not each.allowed], told


def test_code_can_neither_read_the_secret_nor_go_further(engine: Engine, remote: tuple[str, RemoteServer]) -> None:
    kind, server = remote
    erase = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "erase"}})
    twice = erase.replace('"params"', '"params": {"name": "search"}, "params"')
    attacks = {
        "a tool that was not granted": _post("/", erase),
        "one among many": _post("/", f"[{erase}]"),
        "one behind another": _post("/", twice),
        "another place of the server": _post("/admin", "{}"),
        "another server": _post("/", "{}", host="files.mcp.invalid"),
        "the server's own address": _post("/", "{}", host=server.url.split("/")[2]),
        "another method": _request("PUT", "/", "{}"),
        "the web": _request("CONNECT", server.url.split("/")[2], "", host=""),
    }
    look = "cat /proc/*/environ /proc/*/cmdline ~/.claude* 2>/dev/null | tr '\\0' '\\n' > seen; grep -c invalid seen; "
    look += f"grep -a -e {TOKEN[:-1]}[y] -e {server.url[:-1]}[{server.url[-1]}] seen && echo LEAKED; echo looked"
    spec = task(bash(look), *map(bash, attacks.values()), "[[say: done]]", tools=("Bash", SEARCH))
    done = do(engine, _with(spec, servers(kind, server)))

    assert done.outcome.status == "completed", done.outcome
    assert "looked" in done.result_of(0).content
    assert "LEAKED" not in done.result_of(0).content
    for number, name in enumerate(attacks, 1):
        assert done.result_of(number).content.startswith("HTTP/1.1 403"), (name, done.result_of(number))
    assert server.called == []
    assert len([each for each in connections(done) if not each.allowed]) == len(attacks)
    assert {denied.name for denied in done.outcome.denials} == {"network"}


def test_a_server_that_refuses_is_a_tool_that_fails(engine: Engine, remote: tuple[str, RemoteServer]) -> None:
    kind, server = remote
    spec = task(call(SEARCH, query="x"), "[[say: done]]", tools=(SEARCH,))
    done = do(engine, _with(spec, servers(kind, server, token="stale")))

    assert done.outcome.status == "completed", done.outcome
    assert done.result_of(0).is_error
    assert server.requests, "it was tried"
    assert {each.reason for each in connections(done) if each.address} == {"the server answered 401"}


def _with(spec: TaskSpec, configs: dict[str, object]) -> TaskSpec:
    return replace(spec, mcp_servers=configs)


def _post(path: str, body: str, host: str = "tickets.mcp.invalid") -> str:
    return _request("POST", path, body, host)


def _request(method: str, path: str, body: str, host: str = "tickets.mcp.invalid") -> str:
    """A shell command that asks the bridge by hand and prints what it is answered."""
    target = f"http://{host}{path}" if host else path
    head = rf"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{PORT}; printf '{head}' >&3; printf '%s' '{body}' >&3; timeout 5 head -c 300 <&3"
    )
