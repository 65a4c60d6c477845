import json
import os
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.capabilities import mcp
from apps.capabilities.mcp import BadServers

TICKETS = {"command": "/usr/bin/tickets", "args": ["-v"], "env": {"A": "b"}, "tools": ["search", "read"]}


def text(**servers: object) -> str:
    return json.dumps({"mcpServers": servers})


def test_a_server_has_its_tools_under_its_name() -> None:
    found = mcp.parse(text(tickets=TICKETS))["tickets"]

    assert found.tools == ("mcp__tickets__search", "mcp__tickets__read")
    assert found.config == {"type": "stdio", "command": "/usr/bin/tickets", "args": ["-v"], "env": {"A": "b"}}


def test_a_server_over_http_has_its_headers() -> None:
    entry = {"type": "http", "url": "https://example.org/mcp", "headers": {"authorization": "x"}, "tools": ["search"]}
    found = mcp.parse(text(tickets=entry))["tickets"]

    assert found.config == {name: entry[name] for name in ("type", "url", "headers")}


@pytest.mark.parametrize(
    "wrong",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"mcpServers": {"two words": TICKETS}}),
        json.dumps({"mcpServers": {"a__b": TICKETS}}),
        text(tickets={**TICKETS, "command": None}),
        text(tickets={**TICKETS, "type": "http", "url": "https://example.org"}),
        text(tickets={"type": "http", "tools": ["search"]}),
        text(tickets={"type": "http", "url": "file:///etc/passwd", "tools": ["search"]}),
        text(tickets={"type": "ws", "url": "https://example.org", "tools": ["search"]}),
        text(tickets={"type": "sse", "url": "https://example.org", "headers": {"a": "b\r\nc"}, "tools": ["search"]}),
        text(tickets=TICKETS, Tickets=TICKETS),
        text(tickets={**TICKETS, "tools": None}),
        text(tickets={**TICKETS, "tools": ["a b"]}),
        text(tickets={**TICKETS, "args": [1]}),
        text(tickets="x"),
    ],
)
def test_what_cannot_be_used_is_refused(wrong: str) -> None:
    with pytest.raises(BadServers):
        mcp.parse(wrong)


def test_only_servers_with_a_granted_tool_are_started(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "mcp.json"
    settings.MCP_SERVERS = str(path)
    assert mcp.tools() == []
    path.write_text(text(tickets=TICKETS, other=TICKETS))

    assert list(mcp.configs(["Read", "mcp__other__read"])) == ["other"]
    assert mcp.configs(["Read"]) == {}

    path.write_text("broken")
    os.utime(path, (1, 1))
    assert mcp.tools() == []
