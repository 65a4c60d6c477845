"""What the OpenAPI description of all endpoints shares. Serializers only describe: nothing is validated with them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

JSON = "application/json"
SSE = "text/event-stream"

hidden = extend_schema(exclude=True)


class ErrorFields(serializers.Serializer[Any]):
    """OpenAI's four fields; all are always there."""

    message = serializers.CharField(help_text="What is wrong and what to do.")
    type = serializers.CharField(help_text="The coarse class, such as invalid_request_error.")
    param = serializers.CharField(allow_null=True, help_text="The parameter at fault, such as messages[0].content.")
    code = serializers.CharField(help_text="Stable and machine-readable, such as model_not_found.")


class ErrorBody(serializers.Serializer[Any]):
    """Every 4xx and 5xx."""

    error = ErrorFields()


def error(description: str) -> OpenApiResponse:
    """An error response."""
    return OpenApiResponse(ErrorBody, description=description)


UNAUTHENTICATED = {401: error("No key, or one that is unknown, expired or revoked.")}
NOT_FOUND = {404: error("No such thing in the key's project.")}

JOB_ID = OpenApiParameter("job_id", str, OpenApiParameter.PATH, description="The job's id: job_ and 32 hex digits.")


def header(name: str, description: str) -> OpenApiParameter:
    """A header of a successful answer."""
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description, response=[200])


REQUEST_ID = header("x-request-id", "The request's id, as it stands in the service's log.")
JOB_HEADER = header("x-job-id", "The job's id.")
