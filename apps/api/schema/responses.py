"""OpenAI's responses, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.chat import ClaudeDetails, ContentField, job_errors
from apps.api.schema.common import JOB_HEADER, JSON, NOT_FOUND, REQUEST_ID, SSE, UNAUTHENTICATED, error, header


class ResponseRequestBody(serializers.Serializer[Any]):
    """OpenAI's request. A parameter that cannot be honoured is refused by name; those that may be ignored are listed in
    the header x-ignored-params."""

    model = serializers.CharField(required=False, help_text="An alias (haiku, sonnet, opus), a full id, or auto.")
    input = ContentField(help_text="A string, or a list of items: messages, function_call, function_call_output.")
    instructions = serializers.CharField(required=False, allow_null=True)
    previous_response_id = serializers.CharField(required=False, allow_null=True, max_length=100)
    max_output_tokens = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    tools = serializers.ListField(child=serializers.JSONField(), required=False, help_text="Functions only.")
    tool_choice = serializers.JSONField(required=False, allow_null=True)
    parallel_tool_calls = serializers.BooleanField(required=False, allow_null=True)
    text = serializers.JSONField(required=False, allow_null=True, help_text="format: text, json_object or json_schema.")
    reasoning = serializers.JSONField(required=False, allow_null=True, help_text="effort, and summary.")
    stream = serializers.BooleanField(required=False, default=False)
    background = serializers.BooleanField(required=False, default=False)
    store = serializers.BooleanField(required=False, default=True)
    temperature = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    top_p = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    user = serializers.CharField(required=False, allow_null=True, max_length=512)
    metadata = serializers.DictField(child=serializers.CharField(max_length=512), required=False, allow_null=True)


class ResponseObject(serializers.Serializer[Any]):
    """A response."""

    id = serializers.CharField(help_text="resp_ and 32 hex digits.")
    object = serializers.CharField(help_text="Always response.")
    created_at = serializers.IntegerField(help_text="Unix seconds.")
    status = serializers.CharField(help_text="queued, in_progress, completed, incomplete, failed or cancelled.")
    error = serializers.JSONField(allow_null=True)
    incomplete_details = serializers.JSONField(allow_null=True)
    model = serializers.CharField()
    output = serializers.ListField(child=serializers.JSONField(), help_text="message, function_call, reasoning.")
    previous_response_id = serializers.CharField(allow_null=True)
    usage = serializers.JSONField(allow_null=True)
    x_claude = ClaudeDetails()


class InputItems(serializers.Serializer[Any]):
    """A page of what a response was asked."""

    object = serializers.CharField(help_text="Always list.")
    data = serializers.ListField(  # type: ignore[assignment]  # a field, not the base's property
        child=serializers.JSONField(), help_text="message, function_call, function_call_output."
    )
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class DeletedResponse(serializers.Serializer[Any]):
    """That it is forgotten."""

    id = serializers.CharField()
    object = serializers.CharField()
    deleted = serializers.BooleanField()


RESPONSE_ID = OpenApiParameter("response_id", str, OpenApiParameter.PATH, description="resp_ and 32 hex digits.")

create_schema = extend_schema(
    operation_id="create_response",
    summary="Create a response (OpenAI)",
    tags=["responses"],
    parameters=[REQUEST_ID, JOB_HEADER, header("x-ignored-params", "Parameters that had no effect, if any.")],
    request=ResponseRequestBody,
    responses={
        (200, JSON): ResponseObject,
        (200, SSE): OpenApiResponse(str, description="`stream`: OpenAI's typed events, numbered from 0."),
        403: error("The key's profile does not allow the model."),
        404: error("There is no such model, or no such previous response."),
        413: error("The body is too large."),
        415: error("The body is not application/json."),
        **UNAUTHENTICATED,
        **job_errors(),
    },
    examples=[OpenApiExample("Ask", value={"model": "sonnet", "input": "What is a monad?"}, request_only=True)],
)
retrieve_schema = extend_schema(
    operation_id="get_response",
    summary="Look at a response",
    tags=["responses"],
    parameters=[
        REQUEST_ID,
        RESPONSE_ID,
        OpenApiParameter("stream", bool, description="true: its events, as a stream."),
        OpenApiParameter("starting_after", int, description="With stream: the last sequence number that is known."),
    ],
    responses={
        (200, JSON): ResponseObject,
        (200, SSE): OpenApiResponse(str, description="Its typed events."),
        400: error("`starting_after` is no number."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
        **{status: told for status, told in job_errors().items() if status >= 500},
    },
)
delete_schema = extend_schema(
    operation_id="delete_response",
    summary="Forget a response",
    tags=["responses"],
    parameters=[REQUEST_ID, RESPONSE_ID],
    responses={200: DeletedResponse, 409: error("It still runs."), **UNAUTHENTICATED, **NOT_FOUND},
)
cancel_schema = extend_schema(
    operation_id="cancel_response",
    summary="Cancel a response",
    tags=["responses"],
    parameters=[REQUEST_ID, RESPONSE_ID],
    request=None,
    responses={200: ResponseObject, **UNAUTHENTICATED, **NOT_FOUND},
)
input_items_schema = extend_schema(
    operation_id="list_response_input_items",
    summary="What a response was asked",
    tags=["responses"],
    parameters=[
        REQUEST_ID,
        RESPONSE_ID,
        OpenApiParameter("limit", int, description="Items of a page: 1 to 100, usually 20."),
        OpenApiParameter("order", str, enum=["asc", "desc"], description="desc, newest first, or asc."),
        OpenApiParameter("after", str, description="The id of the last item of the page before."),
    ],
    responses={200: InputItems, 400: error("What is wrong with the query."), **UNAUTHENTICATED, **NOT_FOUND},
)
