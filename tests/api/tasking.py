"""People who may do more than the default profile allows, and the stage directions that make the model use tools."""

import json
from pathlib import Path
from typing import Any

from tests.capabilities.conftest import agent, skill
from tests.support.http import Http
from tests.support.service import Person, Service

__all__ = ["agent", "call", "furnish", "make_profile", "person", "run", "skill"]


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


_MAKE_PROFILE = """
import json, sys
from django.utils import timezone
from apps.permissions.models import Profile
from apps.permissions.services import Rules, create_profile
rules = Rules.of(Profile.objects.get(slug="enterprise")).to_json() | json.loads(sys.argv[2])
create_profile(slug=sys.argv[1], rules=Rules.from_json(rules), actor="command:test", now=timezone.now())
"""


def make_profile(service: Service, slug: str, **rules: list[str]) -> None:
    """The enterprise profile with other rules."""
    service.run_python(_MAKE_PROFILE, slug, json.dumps({"name": slug, **rules}))
