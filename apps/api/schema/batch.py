"""Batches, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

from apps.api.schema.common import NOT_FOUND, REQUEST_ID, UNAUTHENTICATED, error
from apps.api.schema.jobs import JobUsage
from apps.jobs.batches.models import BatchStatus

BATCH_ID = OpenApiParameter("batch_id", str, OpenApiParameter.PATH, description="The batch's id.")
LIMIT = OpenApiParameter("limit", int, OpenApiParameter.QUERY, description="Entries of a page.")
RESULTS = OpenApiParameter(
    "limit", int, OpenApiParameter.QUERY, description="Results of a page: 1 to 1,000, usually 1,000."
)
AFTER = OpenApiParameter("after", str, OpenApiParameter.QUERY, description="The last one of the page before.")


class BatchBody(serializers.Serializer[Any]):
    """Up to 10,000 items (100 where the client waits). Every other field is a default for the items that take it."""

    prompts = serializers.ListField(
        child=serializers.JSONField(),
        help_text="Texts, or objects with prompt, messages or description, a custom_id, any field of a chat or task.",
    )
    model = serializers.CharField(required=False, help_text="For items that name none.")
    system = serializers.CharField(required=False, help_text="For items that have none.")
    max_tokens = serializers.IntegerField(required=False, min_value=1)
    metadata = serializers.DictField(child=serializers.CharField(), required=False)


class BatchCounts(serializers.Serializer[Any]):
    """How the items stand."""

    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Failed, refused or cancelled.")
    open = serializers.IntegerField(help_text="Waiting or running.")


class BatchError(serializers.Serializer[Any]):
    """Why an item has no answer."""

    code = serializers.CharField()
    message = serializers.CharField()


class BatchResult(serializers.Serializer[Any]):
    """One item, in the place in which it was sent. Of an item with a job all that the job object has of it."""

    index = serializers.IntegerField()
    custom_id = serializers.CharField(allow_null=True)
    kind = serializers.CharField(allow_null=True, help_text="chat or task; null for an item that could not be read.")
    status = serializers.CharField(help_text="waiting, queued, in_progress, completed, failed or cancelled.")
    job_id = serializers.CharField(allow_null=True)
    model = serializers.CharField(required=False)
    result = serializers.CharField(allow_null=True)
    structured_output = serializers.JSONField(required=False, allow_null=True)
    usage = JobUsage(required=False)
    cost_usd = serializers.FloatField(required=False)
    error = BatchError(allow_null=True)


class BatchWaitsFor(serializers.Serializer[Any]):
    """What a batch needs before it asks more of its items. It goes on by itself."""

    code = serializers.CharField(help_text="insufficient_quota: its budgets are spent or held.")
    message = serializers.CharField()
    resets_at = serializers.FloatField(allow_null=True, help_text="Unix seconds; null: unknown, or never by itself.")


class BatchSummary(serializers.Serializer[Any]):
    """A batch without results."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always batch.")
    status = serializers.ChoiceField(BatchStatus.values)
    project_id = serializers.CharField()
    counts = BatchCounts()
    progress = serializers.FloatField(help_text="From 0 to 1.")
    cost_usd = serializers.FloatField()
    waiting_for = BatchWaitsFor(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField(), allow_null=True)
    created_at = serializers.FloatField(help_text="Unix seconds.")
    started_at = serializers.FloatField(allow_null=True)
    finished_at = serializers.FloatField(allow_null=True)
    expires_at = serializers.FloatField(help_text="What is not answered by then is not asked any more.")


class BatchWithResults(BatchSummary):
    """A batch and the results of its items, in order."""

    results = BatchResult(many=True)
    has_more = serializers.BooleanField(help_text="Whether there are items behind the last one of this page.")


class BatchList(serializers.Serializer[Any]):
    """A page of batches, newest first."""

    object = serializers.CharField(help_text="Always list.")
    data = BatchSummary(many=True)  # type: ignore[assignment]  # a field, not the base's property
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


_PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description="respond-async: do not wait; up to 10,000 items."
)
_MIXED = {
    "model": "haiku",
    "prompts": [
        "What is the capital of France?",
        {"messages": [{"role": "user", "content": "Name a prime."}], "max_tokens": 20},
        {"description": "List the files here.", "allow_tools": ["Glob"], "custom_id": "listing"},
    ],
}

create_batch_schema = extend_schema(
    operation_id="create_batch",
    summary="Ask many things at once",
    tags=["batches"],
    request=BatchBody,
    parameters=[_PREFER, REQUEST_ID],
    examples=[OpenApiExample("Mixed", _MIXED, request_only=True)],
    responses={
        200: BatchWithResults,
        202: BatchSummary,
        400: error("What is wrong with the batch as a whole; what is wrong with an item is its own result."),
        429: error("Not even one item fits into the budgets."),
        **UNAUTHENTICATED,
    },
)
batches_schema = extend_schema(
    operation_id="list_batches",
    summary="List batches",
    tags=["batches"],
    parameters=[LIMIT, AFTER, REQUEST_ID],
    responses={200: BatchList, 400: error("What is wrong with the query."), **UNAUTHENTICATED},
)
batch_schema = extend_schema(
    operation_id="get_batch",
    summary="Look at a batch",
    tags=["batches"],
    parameters=[BATCH_ID, RESULTS, AFTER, REQUEST_ID],
    responses={200: BatchWithResults, 400: error("What is wrong with the query."), **UNAUTHENTICATED, **NOT_FOUND},
)
batch_cancel_schema = extend_schema(
    operation_id="cancel_batch",
    summary="Cancel a batch",
    tags=["batches"],
    request=None,
    parameters=[BATCH_ID, REQUEST_ID],
    responses={200: BatchSummary, **UNAUTHENTICATED, **NOT_FOUND},
)
