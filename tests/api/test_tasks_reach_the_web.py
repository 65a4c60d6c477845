"""The web and an MCP server over HTTP, from a task over the API, as an operator's settings open them."""

import json
from pathlib import Path

from tests.api.tasking import call, make_profile, person, run
from tests.support import pages, remotemcp
from tests.support.service import ServiceFactory

PRIVATE, ALLOWED = "127.0.0.1", "127.0.0.2"
TOKEN = "token-of-the-wiki"


def test_a_task_reaches_what_the_settings_open_and_every_connection_is_told(
    new_service: ServiceFactory, tmp_path: Path, marker: str
) -> None:
    with pages.serving(tmp_path, PRIVATE, ALLOWED) as web, remotemcp.serving("http", TOKEN) as wiki:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        entry = {"type": "http", "url": wiki.url, "headers": headers, "tools": ["search", "erase"]}
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps({"mcpServers": {"Wiki": entry}}))
        service = new_service(
            MCP_SERVERS=str(path),
            TASK_NETWORK_ALLOW=f"{ALLOWED}/32",
            TASK_NETWORK_PORTS=str(web.port),
            TASK_NETWORK_CA=str(web.certificate),
            WORKERS="1",
        )
        make_profile(service, "surfers", allow=["model:*", "tool:WebFetch", "tool:WebSearch", "tool:mcp__Wiki__search"])
        surfer = person(service, "surfing", profile="surfers")
        job = run(
            surfer.http,
            " ".join(
                (
                    call("WebFetch", url=f"https://{ALLOWED}:{web.port}/open", prompt="read"),
                    call("WebFetch", url=f"https://{PRIVATE}:{web.port}/shut", prompt="read"),
                    call("WebSearch", query="bottles"),
                    call("mcp__Wiki__search", query="bottles"),
                    f"[[say: done]] {marker}",
                )
            ),
            allow_tools=["WebFetch", "WebSearch", "mcp__Wiki__search"],
        )

    assert job["status"] == "completed", job
    events = surfer.http.get(f"/v1/jobs/{job['id']}/events", accept="application/json").json()["data"]
    assert [event["is_error"] for event in events if event["type"] == "tool_result"] == [False, True, False, False]
    told = [event for event in events if event["type"] == "network"]
    opened, shut = (next(each for each in told if each["host"] == host) for host in (ALLOWED, PRIVATE))
    assert (opened["allowed"], opened["address"], opened["port"]) == (True, ALLOWED, web.port)
    assert opened["received_bytes"] > 0
    assert (shut["allowed"], shut["received_bytes"]) == (False, 0)
    assert (web.asked, wiki.called) == ([(ALLOWED, "/open")], ["search"])
    assert {"Wiki"} == {each["host"] for each in told} - {ALLOWED, PRIVATE}
    assert [(denied["tool"], denied["input"]["address"]) for denied in job["permission_denials"]] == [
        ("network", PRIVATE)
    ]
    assert job["web_search_requests"] == 1
    assert job["cost_usd"] > 0.01
    assert job["cost_attribution"]["tool:WebSearch"] >= 0.01
    record = service.run_python(_RECORDED)
    assert f"refused {PRIVATE}" in record
    assert TOKEN not in json.dumps([job, events])


_RECORDED = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from apps.audit.models import AuditEvent
for event in AuditEvent.objects.filter(action="network.denied"):
    print(event.outcome, event.data["host"])
"""
