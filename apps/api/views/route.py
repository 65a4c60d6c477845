"""`POST /v1/route`: which model `auto` would be for a request, why, and what each tier would cost. Writes nothing."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api.answers import answer
from apps.api.base import View
from apps.api.body import read_json
from apps.api.openai import fields
from apps.api.openai.requests import read
from apps.api.schema.route import route_schema
from apps.api.tasks.requests import ONLY_OF_TASKS
from apps.api.tasks.requests import read as read_task
from apps.jobs import routes
from apps.jobs.requests import Request as JobRequest
from apps.jobs.routes import AUTO, Route
from apps.routing.scoring import TIERS


class RouteRequest(View):
    """The router, asked without a job."""

    @route_schema
    def post(self, request: Request) -> HttpResponse:
        """Choose a model. The body is that of a chat completion or a task, or `{"prompt": …}`."""
        asked = _reading(read_json(request))
        return answer(route_object(asked, routes.route(key=self.caller, request=asked, now=timezone.now())))


def _reading(body: Any) -> JobRequest:
    """The request in the body, as if it asked for `auto`."""
    if not isinstance(body, dict):
        raise fields.wrong_type("body", "a JSON object")
    if body.keys() & ONLY_OF_TASKS:
        task = read_task({**body, "model": AUTO}, default_model=AUTO, longest_seconds=settings.JOB_TIMEOUT_SECONDS)
        return task.task
    chat = {name: value for name, value in body.items() if name not in ("prompt", "model", "stream", "stream_options")}
    if "prompt" in body:
        prompt = fields.text(body, "prompt", longest=2_000_000)
        chat["messages"] = [{"role": "user", "content": prompt}]
    return read({**chat, "model": AUTO}, default_model=AUTO).chat


def route_object(asked: JobRequest, route: Route) -> dict[str, Any]:
    """A decision as clients see it."""
    read_tokens, written_tokens = routes.estimated_tokens(asked.question(), asked.wanted_tokens())
    return {
        "object": "route",
        **route.to_json(),
        "reason": " ".join(route.decision.reasons),
        "estimated_input_tokens": read_tokens,
        "estimated_output_tokens": written_tokens,
        "tiers": [
            {
                "tier": tier,
                "model": route.models[tier],
                "allowed": tier in route.usable,
                "estimated_cost_usd": route.costs[tier] / 1_000_000,
            }
            for tier in TIERS
        ],
    }
