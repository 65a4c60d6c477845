"""`/metrics`, for Prometheus."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.request import Request

from apps.api import metrics
from apps.api.base import OpenView
from apps.api.problems import ApiError, Problem
from apps.api.schema.health import metrics_schema


class Metrics(OpenView):
    """Figures for monitoring."""

    @metrics_schema
    def get(self, request: Request) -> HttpResponse:
        """Tell requests, jobs, tokens, cost, times and workers in the text format of Prometheus."""
        _admit(request)
        return HttpResponse(metrics.exposition(now=timezone.now()), content_type=CONTENT_TYPE_LATEST)


def _admit(request: Request) -> None:
    """With METRICS_TOKEN whoever has it; without, this machine itself. Raises ApiError."""
    if token := settings.METRICS_TOKEN:
        said = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(said.encode(), token.encode()):
            raise ApiError(Problem(401, "Send METRICS_TOKEN as bearer token.", "invalid_metrics_token"))
    elif not _is_local(request):
        message = "Metrics are told to this machine only, unless METRICS_TOKEN is set and sent as bearer token."
        raise ApiError(Problem(403, message, "forbidden"))


def _is_local(request: Request) -> bool:
    """Whether it comes from this machine, and not from a proxy on it for somebody else."""
    if request.META.get("HTTP_X_FORWARDED_FOR") or request.META.get("HTTP_FORWARDED"):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR") or "").is_loopback
    except ValueError:
        return False
