"""The shipped tiers: free, pro, enterprise. To change one, write another migration that calls `ship`."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

from apps.permissions.tiers import ship

READING = ["tool:Read", "tool:Glob", "tool:Grep"]
WRITING = ["tool:Write", "tool:Edit", "tool:NotebookEdit"]
# The short name stands for the newest model of a family only; the ids catch its older ones.
HAIKU = ["model:haiku", "model:claude-haiku-*"]
SONNET = ["model:sonnet", "model:claude-sonnet-*"]

TIERS = [
    {
        "slug": "free",
        "name": "Free",
        "description": "Reads and answers. For trying things out and for keys that are handed to strangers.",
        "allow": [*READING, *HAIKU],
        "deny": [],
        "ask": [],
        "max_cost_microusd": 100_000,
        "max_seconds": 120,
        "max_turns": 10,
        "max_concurrency": 10,
    },
    {
        "slug": "pro",
        "name": "Pro",
        "description": "Reads and writes files in its workspace, with every agent and skill that is listed under "
        "Capabilities. No shell and no network: an agent or a skill that wants them goes without.",
        "allow": [*READING, *WRITING, "agent:*", "skill:*", *HAIKU, *SONNET],
        "deny": [],
        "ask": [],
        "max_cost_microusd": 1_000_000,
        "max_seconds": 600,
        "max_turns": 50,
        "max_concurrency": 200,
    },
    {
        "slug": "enterprise",
        "name": "Enterprise",
        "description": "Everything, the shell and the network included. For your own people and machines.",
        "allow": ["tool:*", "agent:*", "skill:*", "model:*"],
        "deny": [],
        "ask": [],
        "max_cost_microusd": 10_000_000,
        "max_seconds": 3_600,
        "max_turns": 200,
        "max_concurrency": 1_000,
    },
]


def ship_tiers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    ship(apps.get_model("permissions", "Profile")._default_manager, TIERS, now=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("permissions", "0001_initial")]

    operations = [migrations.RunPython(ship_tiers, migrations.RunPython.noop, elidable=False)]
