"""OpenAI's Batch API, described."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers

from apps.api.schema.batch import AFTER, BATCH_ID, LIMIT, BatchWaitsFor
from apps.api.schema.common import NOT_FOUND, REQUEST_ID, UNAUTHENTICATED, error
from apps.jobs.batches.models import BatchStatus


class OpenaiBatchBody(serializers.Serializer[Any]):
    """Which file, and for what."""

    input_file_id = serializers.CharField(help_text="A file with the purpose batch: a request in each line.")
    endpoint = serializers.ChoiceField(["/v1/chat/completions"])
    completion_window = serializers.ChoiceField(["24h"])
    metadata = serializers.DictField(child=serializers.CharField(), required=False)


class OpenaiLineError(serializers.Serializer[Any]):
    """What is wrong with a line."""

    code = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()
    param = serializers.CharField(allow_null=True)


class OpenaiBatchErrors(serializers.Serializer[Any]):
    """Why the file could not be used; the first hundred lines."""

    object = serializers.CharField()
    data = OpenaiLineError(many=True)  # type: ignore[assignment]  # a field, not the base's property


class OpenaiRequestCounts(serializers.Serializer[Any]):
    """How the requests stand."""

    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()


class OpenaiBatchDetails(serializers.Serializer[Any]):
    """What OpenAI's batch has no field for."""

    waiting_for = BatchWaitsFor(allow_null=True)


class OpenaiBatch(serializers.Serializer[Any]):
    """OpenAI's batch object."""

    id = serializers.CharField()
    object = serializers.CharField()
    endpoint = serializers.CharField()
    errors = OpenaiBatchErrors(allow_null=True)  # type: ignore[assignment]  # a field, not the base's property
    input_file_id = serializers.CharField()
    completion_window = serializers.CharField()
    status = serializers.ChoiceField(BatchStatus.values)
    output_file_id = serializers.CharField(allow_null=True, help_text="Of the answers, once it has ended.")
    error_file_id = serializers.CharField(allow_null=True, help_text="Of the requests that were not answered.")
    created_at = serializers.IntegerField(help_text="Unix seconds, as all times here.")
    in_progress_at = serializers.IntegerField(allow_null=True)
    expires_at = serializers.IntegerField()
    finalizing_at = serializers.IntegerField(allow_null=True)
    completed_at = serializers.IntegerField(allow_null=True)
    failed_at = serializers.IntegerField(allow_null=True)
    expired_at = serializers.IntegerField(allow_null=True)
    cancelling_at = serializers.IntegerField(allow_null=True)
    cancelled_at = serializers.IntegerField(allow_null=True)
    request_counts = OpenaiRequestCounts()
    metadata = serializers.DictField(child=serializers.CharField(), allow_null=True)
    x_claude = OpenaiBatchDetails()


class OpenaiBatchList(serializers.Serializer[Any]):
    """A page of batches, newest first."""

    object = serializers.CharField(help_text="Always list.")
    data = OpenaiBatch(many=True)  # type: ignore[assignment]  # a field, not the base's property
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


_TAGS = ["batches"]
_EXAMPLE = {"input_file_id": "file-…", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
create_openai_batch_schema = extend_schema(
    operation_id="create_openai_batch",
    summary="Begin a batch of the requests in a file",
    tags=_TAGS,
    request=OpenaiBatchBody,
    parameters=[REQUEST_ID],
    examples=[OpenApiExample("File", _EXAMPLE, request_only=True)],
    responses={
        200: OpenaiBatch,
        400: error("What is wrong with the request; what is wrong with the file is in the batch."),
        429: error("Not even one request fits into the budgets."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
    },
)
openai_batches_schema = extend_schema(
    operation_id="list_openai_batches",
    summary="List batches that came as files",
    tags=_TAGS,
    parameters=[LIMIT, AFTER, REQUEST_ID],
    responses={200: OpenaiBatchList, 400: error("What is wrong with the query."), **UNAUTHENTICATED},
)
openai_batch_schema = extend_schema(
    operation_id="get_openai_batch",
    summary="Look at a batch that came as a file",
    tags=_TAGS,
    parameters=[BATCH_ID, REQUEST_ID],
    responses={200: OpenaiBatch, **UNAUTHENTICATED, **NOT_FOUND},
)
cancel_openai_batch_schema = extend_schema(
    operation_id="cancel_openai_batch",
    summary="Cancel a batch that came as a file",
    tags=_TAGS,
    request=None,
    parameters=[BATCH_ID, REQUEST_ID],
    responses={200: OpenaiBatch, **UNAUTHENTICATED, **NOT_FOUND},
)
