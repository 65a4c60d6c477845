"""`GET /v1/capabilities`: the tools, agents, skills and models that the caller's key may use, and how."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.entitlements import policy_of, usable_models
from apps.api.schema.tasks import capabilities_schema
from apps.capabilities.models import Capability
from apps.jobs.naming import PARAMS, usable
from apps.permissions.policy import Policy, judge
from apps.permissions.refs import Kind, ref
from apps.permissions.verdict import Permit
from apps.permissions.words import dollars

_HOW: dict[Kind, str] = {
    "tool": "Name it in 'allow_tools'.",
    "agent": "Name it in 'allow_agents'; the model starts it with the Agent tool.",
    "skill": "Name it in 'allow_skills'; the model uses it with the Skill tool.",
}


class Capabilities(View):
    """What there is for this key."""

    @capabilities_schema
    def get(self, request: Request) -> HttpResponse:
        """List the tools, agents, skills and models that this key may use."""
        policy = policy_of(self.caller)
        limits = policy.limits
        models = sorted({model.id: model for model in usable_models(self.caller).values()}.items())
        return answer(
            {
                "object": "capabilities",
                "profile": policy.profile,
                "tools": [_entry(policy, "tool", name) for name in usable(policy, "tool")],
                "agents": _found(policy, "agent"),
                "skills": _found(policy, "skill"),
                "models": [{"name": id_, "alias": m.alias, "description": m.display_name} for id_, m in models],
                "limits": {
                    "max_cost": limits.max_cost_microusd / 1_000_000,
                    "timeout": limits.max_seconds,
                    "max_turns": limits.max_turns,
                    "max_concurrency": limits.max_concurrency,
                },
                "invocation": (
                    "POST /v1/task with a 'description' and the names in 'allow_tools', 'allow_agents' and "
                    f"'allow_skills'. A task may cost at most {dollars(limits.max_cost_microusd)}."
                ),
            }
        )


def _found(policy: Policy, kind: Kind) -> list[dict[str, Any]]:
    rows = Capability.objects.usable().filter(kind=kind, name__in=usable(policy, kind)).order_by("name")
    return [_entry(policy, kind, row.name) | _facts(row) for row in rows]


def _facts(row: Capability) -> dict[str, Any]:
    facts: dict[str, Any] = {"description": row.description, "source": row.source}
    return facts | ({"tools": row.tools} if row.kind == "agent" else {})


def _entry(policy: Policy, kind: Kind, name: str) -> dict[str, Any]:
    permit = judge(policy, ref(kind, name))
    asks = isinstance(permit, Permit) and bool(permit.waits_for)
    return {
        "name": name,
        "needs_approval": asks,
        "invocation": {"parameter": PARAMS[kind], "value": name, "how": _HOW[kind]},
    }
