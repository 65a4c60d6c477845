"""People who may do more than the default profile allows, and the stage directions that make the model use tools."""

import json
import time
from pathlib import Path
from typing import Any

from tests.capabilities.conftest import agent, skill
from tests.support.http import Http
from tests.support.service import Person, Service

__all__ = ["agent", "call", "furnish", "person", "run", "skill"]


def call(name: str, **arguments: Any) -> str:
    """The direction that makes the scripted model ask for a tool."""
    return f"[[tool: {name} {json.dumps(arguments)}]]"


def person(service: Service, project: str, profile: str = "enterprise") -> Person:
    """Somebody with a new key of that profile."""
    issued = json.loads(service.manage("issue_key", project, "--profile", profile, "--json"))
    return Person("somebody", project, issued["key"], issued["id"], service.http(issued["key"]))


def furnish(service: Service) -> Path:
    """The service's CLAUDE_HOME, for files that are then looked for with `scan_capabilities`."""
    return Path(service.environ["CLAUDE_HOME"])


def run(http: Http, description: str, **fields: Any) -> dict[str, Any]:
    """A task, waited for; its job object."""
    answer = http.post("/v1/task", {"description": description, **fields})
    assert answer.status == 200, answer.body
    job: dict[str, Any] = answer.json()
    return job


def ended(http: Http, job_id: str, *, seconds: float = 30.0) -> dict[str, Any]:
    """The job object of a job that has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job: dict[str, Any] = http.get(f"/v1/jobs/{job_id}").json()
        if job["status"] not in ("queued", "in_progress"):
            return job
        http.get(f"/v1/jobs/{job_id}/events?starting_after=0", accept="text/event-stream")
    raise AssertionError(f"{job_id} did not end")
