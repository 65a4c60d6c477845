"""Jobs and their events, described."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.common import JOB_HEADER, JOB_ID, JSON, NOT_FOUND, REQUEST_ID, SSE, UNAUTHENTICATED, error
from apps.jobs.models import Status


class JobUsage(serializers.Serializer[Any]):
    """Tokens by kind, as they are priced."""

    input_tokens = serializers.IntegerField(help_text="Neither read from nor written to a cache.")
    output_tokens = serializers.IntegerField()
    cache_read_input_tokens = serializers.IntegerField()
    cache_creation_input_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class JobError(serializers.Serializer[Any]):
    """Why a job failed."""

    code = serializers.CharField()
    message = serializers.CharField()
    upstream_status = serializers.IntegerField(allow_null=True)
    retry_after_seconds = serializers.FloatField(allow_null=True)


class JobObject(serializers.Serializer[Any]):
    """One job, whatever its kind."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always job.")
    kind = serializers.CharField()
    status = serializers.ChoiceField(Status.values)
    project_id = serializers.CharField()
    model = serializers.CharField()
    routed_from = serializers.CharField(allow_null=True, help_text="auto, where the model was chosen here.")
    route = serializers.JSONField(allow_null=True, help_text="The choice and its reasons: see /v1/route.")
    result = serializers.CharField(allow_null=True, help_text="The answer; of a failed job what came of it.")
    structured_output = serializers.JSONField(allow_null=True)
    usage = JobUsage()
    cost_usd = serializers.FloatField()
    estimated = serializers.BooleanField(help_text="Whether usage and cost had to be estimated: an answer was cut.")
    web_search_requests = serializers.IntegerField(help_text="Made by the provider; part of cost_usd.")
    thinking_tokens = serializers.IntegerField(help_text="Of the output, as far as the upstream tells.")
    overhead_tokens = serializers.IntegerField(help_text="Of the prompt, about: what the CLI and we added.")
    num_turns = serializers.IntegerField()
    stop_reason = serializers.CharField(allow_null=True)
    stop_sequence = serializers.CharField(allow_null=True)
    tools_used = serializers.ListField(child=serializers.CharField())
    permission_denials = serializers.ListField(child=serializers.JSONField())
    artifacts = serializers.ListField(child=serializers.JSONField())
    artifacts_skipped = serializers.ListField(
        child=serializers.JSONField(),
        help_text="What a task left and that is not kept: name, reason, size. The first hundred.",
    )
    artifacts_skipped_count = serializers.IntegerField(help_text="All of it.")
    session_id = serializers.CharField(allow_null=True)
    error = JobError(allow_null=True)
    created_at = serializers.FloatField(help_text="Unix seconds.")
    started_at = serializers.FloatField(allow_null=True, help_text="Unix seconds.")
    finished_at = serializers.FloatField(allow_null=True, help_text="Unix seconds.")


class JobList(serializers.Serializer[Any]):
    """A page of jobs, newest first."""

    object = serializers.CharField(help_text="Always list.")
    data = JobObject(many=True)  # type: ignore[assignment]  # a field, not the base's property
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True, help_text="Send it as `after` for the next page.")
    has_more = serializers.BooleanField()


class JobEvent(serializers.Serializer[Any]):
    """One event. `content` is there in token, thinking and tool_result, the job's own fields in done and error."""

    type = serializers.ChoiceField(
        ["started", "token", "thinking", "tool_use", "tool_input", "tool_result", "done", "error"]
    )
    job_id = serializers.CharField()
    sequence_number = serializers.IntegerField(help_text="1, 2, … without gaps.")
    content = serializers.CharField(required=False)
    tool_use_id = serializers.CharField(required=False, help_text="In tool_use, tool_input and tool_result.")
    name = serializers.CharField(required=False, help_text="In tool_use: the tool that is asked for.")
    input = serializers.JSONField(
        required=False, allow_null=True, help_text="In tool_use: the arguments, or null where tool_input events follow."
    )
    partial_json = serializers.CharField(required=False, help_text="In tool_input: a piece of the arguments' JSON.")
    is_error = serializers.BooleanField(required=False, help_text="In tool_result.")


class JobEventList(serializers.Serializer[Any]):
    """What has happened until now."""

    object = serializers.CharField(help_text="Always list.")
    data = JobEvent(many=True)  # type: ignore[assignment]  # a field, not the base's property
    job_status = serializers.CharField(help_text="The job's status when the list was made.")


def _query(name: str, kind: type, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **more)


jobs_schema = extend_schema(
    operation_id="list_jobs",
    summary="List jobs",
    tags=["jobs"],
    parameters=[
        _query("limit", int, "1 to 100.", default=20),
        _query("after", str, "The id of the last job of the page before."),
        _query("status", str, "Only jobs of that status.", enum=Status.values),
        _query("model", str, "Only jobs of that model, by alias or full id."),
        _query("created_after", float, "Only jobs created then or later, in Unix seconds."),
        _query("created_before", float, "Only jobs created earlier, in Unix seconds."),
        REQUEST_ID,
    ],
    responses={200: JobList, 400: error("A filter cannot be understood."), **UNAUTHENTICATED},
)
job_schema = extend_schema(
    operation_id="get_job",
    summary="Look at a job",
    tags=["jobs"],
    parameters=[JOB_ID, REQUEST_ID, JOB_HEADER],
    responses={200: JobObject, **UNAUTHENTICATED, **NOT_FOUND},
)
cancel_schema = extend_schema(
    operation_id="cancel_job",
    summary="Cancel a job",
    tags=["jobs"],
    parameters=[JOB_ID, REQUEST_ID, JOB_HEADER],
    request=None,
    responses={200: JobObject, **UNAUTHENTICATED, **NOT_FOUND},
)
events_schema = extend_schema(
    operation_id="follow_job",
    summary="Follow a job",
    tags=["jobs"],
    parameters=[
        JOB_ID,
        _query("starting_after", int, "Resume after this sequence number.", default=0),
        OpenApiParameter(
            "Last-Event-ID", int, OpenApiParameter.HEADER, description="The same, as EventSource sends it."
        ),
        REQUEST_ID,
        JOB_HEADER,
    ],
    responses={
        (200, SSE): OpenApiResponse(
            str, description="Server-sent events: `id` is the sequence number, `data` a JobEvent. Ends with the job."
        ),
        (200, JSON): OpenApiResponse(JobEventList, description="With `Accept: application/json`: what is there now."),
        204: OpenApiResponse(description="The job has ended and nothing is left: an EventSource stops reconnecting."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
    },
)
