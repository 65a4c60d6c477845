"""`/health` and `/ready`, described."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.common import ErrorFields, error


class HealthReport(serializers.Serializer[Any]):
    """The process is alive."""

    status = serializers.CharField(help_text="Always ok.")
    version = serializers.CharField()


class ReadyReport(serializers.Serializer[Any]):
    """Whether work can be done."""

    status = serializers.CharField(help_text="ready or not_ready.")
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why not.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What an operator should know.")
    checks = serializers.DictField(
        child=serializers.JSONField(), help_text="database, valkey, queue, workers, jail, cli."
    )


class NotReadyReport(ReadyReport):
    """The same, with the reasons as an error."""

    error = ErrorFields()


health_schema = extend_schema(
    operation_id="health", summary="Is the process alive?", tags=["service"], auth=[], responses={200: HealthReport}
)
ready_schema = extend_schema(
    operation_id="ready",
    summary="Can the service work?",
    tags=["service"],
    auth=[],
    responses={200: ReadyReport, 503: OpenApiResponse(NotReadyReport, description="Not ready; the reasons are given.")},
)
metrics_schema = extend_schema(
    operation_id="metrics",
    summary="Figures for monitoring",
    tags=["service"],
    auth=[],
    responses={
        (200, "text/plain"): OpenApiResponse(str, description="The text format of Prometheus."),
        401: error("METRICS_TOKEN is set, and it was not sent."),
        403: error("METRICS_TOKEN is not set, and this request comes from another machine."),
    },
)
