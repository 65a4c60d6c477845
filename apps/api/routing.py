"""The WebSocket addresses."""

from django.urls import path

from apps.api.websocket.stream import stream_socket

websocket_urlpatterns = [path("v1/stream", stream_socket)]  # type: ignore[arg-type]  # an ASGI application, not a view
