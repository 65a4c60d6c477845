"""Server-sent events, byte for byte. Pure."""

CONTENT_TYPE = "text/event-stream"
PING = b": ping\n\n"
PING_SECONDS = 15.0
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the tokens back
}


RETRY = b"retry: 1000\n"
"""Begins a stream: how long a client waits before it comes back. The first event follows in the same block."""
RESTARTING = b": the service restarts; reconnect with Last-Event-ID\n\n"


def event(*, type: str, data: bytes, sequence_number: int | None = None) -> bytes:  # noqa: A002  SSE's word
    """One event of JSON; with an id if it is one of a job's, for clients that resume with Last-Event-ID."""
    identity = b"" if sequence_number is None else b"id: %d\n" % sequence_number
    return b"%sevent: %s\ndata: %s\n\n" % (identity, type.encode(), data)
