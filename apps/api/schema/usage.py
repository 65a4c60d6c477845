"""Usage, described."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.common import JSON, NOT_FOUND, REQUEST_ID, UNAUTHENTICATED, error
from apps.api.schema.jobs import JobUsage

CSV = "text/csv"


class UsageTimes(serializers.Serializer[Any]):
    """How long some requests took, in seconds; percentiles are read off buckets that grow by √2."""

    count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class UsageCosts(serializers.Serializer[Any]):
    """The same cost from three sources."""

    metered_usd = serializers.FloatField(help_text="Metered at the egress: the bill.")
    price_table_usd = serializers.FloatField(help_text="The metered tokens at the price table of their day.")
    cli_usd = serializers.FloatField(help_text="What the CLI itself said, of those requests of which it did.")
    metered_where_cli_usd = serializers.FloatField(help_text="What was metered for these.")
    cli_requests = serializers.IntegerField(help_text="How many these are.")


class UsageFigures(serializers.Serializer[Any]):
    """What a group of requests came to."""

    requests = serializers.IntegerField(help_text="All that ended: the four that follow together.")
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="Never became a job: not allowed, or no budget left.")
    errors = serializers.DictField(child=serializers.IntegerField(), help_text="Requests by error code.")  # type: ignore[assignment]
    usage = JobUsage()
    cost_usd = serializers.FloatField()
    cache_hit_rate = serializers.FloatField(allow_null=True, help_text="Cached share of all prompt tokens.")
    cache_savings_usd = serializers.FloatField(help_text="What cached reads would have cost more as fresh input.")
    latency_seconds = UsageTimes(help_text="From submission to the end, of completed requests.")
    first_token_seconds = UsageTimes(help_text="From submission to the first token.")
    queue_wait_seconds = UsageTimes(help_text="From submission to the moment a worker took it.")
    upstream_calls = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField(help_text="Of models without a known price: their cost is missing.")
    estimated_requests = serializers.IntegerField(help_text="Whose usage was estimated, since an answer was cut.")
    costs = UsageCosts()
    drift = serializers.ListField(
        child=serializers.CharField(), help_text="Which of cli and table disagree with metered."
    )


class UsageRow(UsageFigures):
    """The figures of one step and group; only what it was grouped by is there."""

    start = serializers.DateTimeField(required=False, help_text="The step's beginning, with the zone's offset.")
    end = serializers.DateTimeField(required=False)
    key = serializers.CharField(required=False, help_text="A key's public id.")
    key_name = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    kind = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    error_code = serializers.CharField(required=False)


class UsageReport(serializers.Serializer[Any]):
    """Usage of a project."""

    object = serializers.CharField(help_text="Always usage.")
    project_id = serializers.CharField()
    to = serializers.DateTimeField(help_text="Where the answer ends; whole steps, without steps quarter hours.")
    tz = serializers.CharField()
    group_by = serializers.ListField(child=serializers.CharField())
    data = UsageRow(many=True)  # type: ignore[assignment]  # a field, not the base's property
    total = UsageFigures()

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name for a Python attribute."""
        return {**super().get_fields(), "from": serializers.DateTimeField(help_text="Where the answer begins.")}


def _query(name: str, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, description=description, **more)


_TIME = "A day such as 2026-11-01, a time such as 2026-11-01T12:00:00+01:00, or Unix seconds."
usage_schema = extend_schema(
    operation_id="get_usage",
    summary="Usage of the project",
    tags=["usage"],
    parameters=[
        _query("from", f"{_TIME} Without it: 30 days before `to`."),
        _query("to", f"{_TIME} A day is included, a time is not. Without it: now."),
        _query(
            "group_by",
            "At most one of hour, day, week and month, and any of key, model, kind, status and error_code, separated "
            "by commas. Without a step of time each group has one row.",
            default="day",
        ),
        _query("tz", "The time zone of the steps and of times without one, such as Europe/Berlin.", default="UTC"),
        _query("project_id", "The key's own project; any other is not found."),
        _query("key_id", "Only requests of this key of the project, by its public id."),
        _query("model", "Only requests of this model, by alias or full id."),
        _query("kind", "Only requests of this kind, such as chat or task."),
        _query("format", "The same as the Accept header.", enum=["json", "csv"]),
        REQUEST_ID,
    ],
    responses={
        (200, JSON): UsageReport,
        (200, CSV): OpenApiResponse(str, description="One line for each row, nested fields by dotted names."),
        400: error("A parameter cannot be understood, or the answer would be too large."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
    },
)
