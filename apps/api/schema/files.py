"""OpenAI's Files API, described."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from apps.api.schema.batch import AFTER, LIMIT
from apps.api.schema.common import NOT_FOUND, REQUEST_ID, UNAUTHENTICATED, error

FILE_ID = OpenApiParameter("file_id", str, OpenApiParameter.PATH, description="The file's id.")


class Upload(serializers.Serializer[Any]):
    """A form."""

    purpose = serializers.CharField(help_text="batch, for the requests of a batch as JSONL; others are only kept.")
    file = serializers.FileField(help_text="Up to 30 MB; all files of a project up to 1,024 MB.")


class FileObject(serializers.Serializer[Any]):
    """A file's facts."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always file.")
    bytes = serializers.IntegerField()
    created_at = serializers.IntegerField(help_text="Unix seconds.")
    expires_at = serializers.IntegerField(allow_null=True, help_text="Always null: files stay until they are deleted.")
    filename = serializers.CharField()
    purpose = serializers.CharField()
    status = serializers.CharField(help_text="Always processed.")
    status_details = serializers.CharField(allow_null=True)


class FileList(serializers.Serializer[Any]):
    """A page of files."""

    object = serializers.CharField(help_text="Always list.")
    data = FileObject(many=True)  # type: ignore[assignment]  # a field, not the base's property
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class DeletedFile(serializers.Serializer[Any]):
    """What is gone."""

    id = serializers.CharField()
    object = serializers.CharField()
    deleted = serializers.BooleanField()


_TAGS = ["files"]
upload_schema = extend_schema(
    operation_id="upload_file",
    summary="Upload a file",
    tags=_TAGS,
    request={"multipart/form-data": Upload},
    parameters=[REQUEST_ID],
    responses={
        200: FileObject,
        400: error("What is wrong with the form."),
        413: error("The file is too large, or the project's files are."),
        415: error("The body is no form."),
        **UNAUTHENTICATED,
    },
)
files_schema = extend_schema(
    operation_id="list_files",
    summary="List files",
    tags=_TAGS,
    parameters=[
        LIMIT,
        AFTER,
        OpenApiParameter("purpose", str, OpenApiParameter.QUERY, description="Only those with this purpose."),
        OpenApiParameter("order", str, OpenApiParameter.QUERY, enum=["asc", "desc"], description="Newest first: desc."),
        REQUEST_ID,
    ],
    responses={200: FileList, 400: error("What is wrong with the query."), **UNAUTHENTICATED, **NOT_FOUND},
)
file_schema = extend_schema(
    operation_id="get_file",
    summary="Look at a file",
    tags=_TAGS,
    parameters=[FILE_ID, REQUEST_ID],
    responses={200: FileObject, **UNAUTHENTICATED, **NOT_FOUND},
)
delete_file_schema = extend_schema(
    operation_id="delete_file",
    summary="Delete a file",
    tags=_TAGS,
    parameters=[FILE_ID, REQUEST_ID],
    responses={200: DeletedFile, **UNAUTHENTICATED, **NOT_FOUND},
)
content_schema = extend_schema(
    operation_id="download_file",
    summary="Download a file",
    tags=_TAGS,
    parameters=[FILE_ID, REQUEST_ID],
    responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **UNAUTHENTICATED, **NOT_FOUND},
)
