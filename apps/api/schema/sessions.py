"""Sessions, described."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.schema.common import NOT_FOUND, REQUEST_ID, UNAUTHENTICATED, error


class SessionObject(serializers.Serializer[Any]):
    """A conversation that jobs continue."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always session.")
    kind = serializers.CharField(help_text="task or chat, as its jobs.")
    project_id = serializers.CharField()
    forked_from = serializers.CharField(allow_null=True)
    last_job_id = serializers.CharField(allow_null=True)
    created_at = serializers.FloatField(help_text="Unix seconds.")
    last_used_at = serializers.FloatField(help_text="Unix seconds.")


class SessionList(serializers.Serializer[Any]):
    """A page of sessions."""

    object = serializers.CharField(help_text="Always list.")
    data = SessionObject(many=True)  # type: ignore[assignment]  # a field, not the base's property
    has_more = serializers.BooleanField()


class SessionDeleted(serializers.Serializer[Any]):
    """That a session is gone."""

    id = serializers.CharField()
    object = serializers.CharField(help_text="Always session.deleted.")
    deleted = serializers.BooleanField()


_ID = OpenApiParameter("session_id", str, OpenApiParameter.PATH, description="session_ and 32 hex digits.")
_BUSY = {409: error("`session_busy`: a job of the session has not ended.")}

sessions_schema = extend_schema(
    operation_id="list_sessions",
    summary="List sessions",
    tags=["sessions"],
    parameters=[
        OpenApiParameter("limit", int, OpenApiParameter.QUERY, description="1 to 100.", default=20),
        OpenApiParameter("after", str, OpenApiParameter.QUERY, description="The last session of the page before."),
        REQUEST_ID,
    ],
    responses={200: SessionList, 400: error("A parameter is wrong."), **UNAUTHENTICATED, **NOT_FOUND},
)
session_schema = extend_schema(
    operation_id="get_session",
    summary="Look at a session",
    tags=["sessions"],
    parameters=[_ID, REQUEST_ID],
    responses={200: SessionObject, **UNAUTHENTICATED, **NOT_FOUND},
)
delete_session_schema = extend_schema(
    operation_id="delete_session",
    summary="Forget a session",
    tags=["sessions"],
    parameters=[_ID, REQUEST_ID],
    responses={200: SessionDeleted, **UNAUTHENTICATED, **NOT_FOUND, **_BUSY},
)
fork_schema = extend_schema(
    operation_id="fork_session",
    summary="Go on from a session in a new one",
    tags=["sessions"],
    parameters=[_ID, REQUEST_ID],
    request=None,
    responses={
        201: OpenApiResponse(SessionObject, description="The new session."),
        **UNAUTHENTICATED,
        **NOT_FOUND,
        **_BUSY,
    },
)
