"""An MCP server that the operator defined, with the real CLI, inside the jail."""

import json
from pathlib import Path

from tests.api.tasking import call, make_profile, person, run
from tests.support.service import ServiceFactory

# As small as a server can be: JSON lines on stdin and stdout.
SERVER = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method = asked["method"]
    if method == "initialize":
        result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "tickets", "version": "1"}}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in ("search", "erase")]}
    elif method == "tools/call":
        said = asked["params"]["name"] + " of uid " + str(os.getuid())
        result = {"content": [{"type": "text", "text": said}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_a_granted_tool_of_a_server_runs_in_the_jail_and_no_other(
    new_service: ServiceFactory, tmp_path: Path, marker: str
) -> None:
    server = {"command": "/usr/bin/python3", "args": ["-c", SERVER], "tools": ["search", "erase"]}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"tickets": server}}))
    service = new_service(MCP_SERVERS=str(path), WORKERS="1")
    make_profile(service, "readers", allow=["model:*", "tool:mcp__tickets__search"])
    reader = person(service, "tickets", profile="readers")

    tools = [tool["name"] for tool in reader.http.get("/v1/capabilities").json()["tools"]]
    refused = reader.http.post("/v1/task", {"description": "x", "allow_tools": ["mcp__tickets__erase"]})
    job = run(
        reader.http,
        f"{call('mcp__tickets__search')} {call('mcp__tickets__erase')} [[say: done]] {marker}",
        allow_tools=["mcp__tickets__search"],
    )

    assert tools == ["mcp__tickets__search"]
    assert refused.status == 403
    assert job["status"] == "completed", job
    events = reader.http.get(f"/v1/jobs/{job['id']}/events", accept="application/json").json()["data"]
    said = [each["content"] for each in events if each["type"] == "tool_result"]
    assert said[0] == "search of uid 1000"
    assert "erase of" not in said[1]
    assert [denied["tool"] for denied in job["permission_denials"]] == ["mcp__tickets__erase"]
