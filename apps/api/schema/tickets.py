"""Tickets, described."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from apps.api.schema.common import UNAUTHENTICATED, error


class Ticket(serializers.Serializer[Any]):
    """What a browser opens a WebSocket with: `new WebSocket(url, ["ccs.v1", "ticket." + ticket])`."""

    object = serializers.CharField(help_text="Always ws_ticket.")
    ticket = serializers.CharField(help_text="Good once.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


ticket_schema = extend_schema(
    operation_id="create_ws_ticket",
    tags=["jobs"],
    summary="Create a WebSocket ticket",
    request=None,
    responses={201: Ticket, **UNAUTHENTICATED, 503: error("The event store, which keeps tickets, cannot be reached.")},
)
