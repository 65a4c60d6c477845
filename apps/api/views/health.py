"""`/health` and `/ready`, for load balancers and people."""

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from apps.api import readiness
from apps.api.answers import answer
from apps.api.base import OpenView
from apps.api.problems import Problem
from apps.api.schema.health import health_schema, ready_schema


class Health(OpenView):
    """This process answers."""

    @health_schema
    def get(self, request: Request) -> HttpResponse:
        """Say that the process is alive. Looks at nothing else."""
        return answer({"status": "ok", "version": settings.VERSION})


class Ready(OpenView):
    """The service can do its work."""

    @ready_schema
    def get(self, request: Request) -> HttpResponse:
        """Check database, Valkey, workers, jail, CLI and queue; 503 with the reasons when work cannot be done."""
        report = readiness.look(now=timezone.now())
        facts = {
            "status": "ready" if report.ready else "not_ready",
            "reasons": report.reasons,
            "warnings": report.warnings,
            "checks": report.checks,
        }
        if report.ready:
            return answer(facts)
        problem = Problem(503, f"Not ready: {'; '.join(report.reasons)}.", "not_ready")
        return answer({**problem.body(), **facts}, status=503, headers={"Retry-After": "2"})
