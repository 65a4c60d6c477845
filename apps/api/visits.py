"""One HTTP request as the gateway and the views share it: its id, who asks, and the job it waits for."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpRequest

from apps.keys.models import ApiKey

SCOPE_KEY = "ccs.visit"
_ATTRIBUTE = "_ccs_visit"


def new_request_id() -> str:
    """An id that logs and answers share."""
    return f"req_{secrets.token_hex(16)}"


@dataclass(slots=True, eq=False)
class Visit:
    """What the gateway and the views tell each other about a request."""

    request_id: str = field(default_factory=new_request_id)
    key: ApiKey | None = None
    """Who asks, once it is known."""
    job_id: str | None = None
    """The job that this request submitted and waits for; it is abandoned if the client leaves before its end."""
    job_ended: bool = False
    closers: list[Callable[[], object]] = field(default_factory=list)
    """Called on the event loop when the request is over, however it ended."""

    def end(self) -> None:
        """The request is over."""
        while self.closers:
            self.closers.pop()()


def visit_of(request: HttpRequest) -> Visit:
    """The visit of a request; a new one where no gateway stands before the view."""
    visit = getattr(request, "scope", {}).get(SCOPE_KEY) or getattr(request, _ATTRIBUTE, None)
    if not isinstance(visit, Visit):
        visit = Visit()
        setattr(request, _ATTRIBUTE, visit)
    return visit


def is_served_by_gateway(request: HttpRequest) -> bool:
    """Whether the gateway will send the answer."""
    return SCOPE_KEY in getattr(request, "scope", {})
