"""One HTTP request as the outside sees it: its id, the job it waits for, and whether its client is still there."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest

SCOPE_KEY = "ccs.visit"
_ATTRIBUTE = "_ccs_visit"


def new_request_id() -> str:
    """An id that logs and answers share."""
    return f"req_{secrets.token_hex(16)}"


@dataclass(slots=True, eq=False)
class Visit:
    """What `DisconnectWatch` and the views tell each other about a request."""

    request_id: str = field(default_factory=new_request_id)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set on the event loop when the client has left, or when the answer is out."""
    job_id: str | None = None
    """The job that this request submitted and waits for; it is abandoned if the client leaves before its end."""
    job_ended: bool = False
    closers: list[Callable[[], object]] = field(default_factory=list)
    """Called on the event loop when the request is over, however it ended."""


def visit_of(request: HttpRequest) -> Visit:
    """The visit of a request; a new one where no DisconnectWatch stands before Django, as in some tests."""
    visit = getattr(request, "scope", {}).get(SCOPE_KEY) or getattr(request, _ATTRIBUTE, None)
    if not isinstance(visit, Visit):
        visit = Visit()
        setattr(request, _ATTRIBUTE, visit)
    return visit
