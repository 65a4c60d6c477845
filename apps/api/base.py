"""What all endpoints share: who may call, how a body is read, how an answer is written."""

import logging
from typing import Any, cast

from django.db import DatabaseError, close_old_connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api import jsonio
from apps.api.authentication import KeyAuthentication
from apps.api.problems import ApiError, Problem, invalid, of_status
from apps.api.visits import Visit, visit_of
from apps.keys import services as keys
from apps.keys.models import ApiKey

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_BODY_WITH_IMAGES_BYTES = 32 * 1024 * 1024


class EventStreamRenderer(BaseRenderer):
    """Lets content negotiation accept `text/event-stream`; the stream itself is not rendered by DRF."""

    media_type = "text/event-stream"
    format = "event-stream"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Only reached for answers that are no stream."""
        return jsonio.dumps(data)


class View(APIView):
    """An endpoint for holders of a key. `caller` is the key; every query starts from its project."""

    authentication_classes = [KeyAuthentication]
    permission_classes = []
    throttle_classes = []
    renderer_classes = [JSONRenderer]
    metadata_class = None
    default_response_headers: dict[str, str] = {}

    @property
    def caller(self) -> ApiKey:
        """Who is asking."""
        return cast(ApiKey, self.request.auth)

    @property
    def visit(self) -> Visit:
        """This request, as the outside sees it."""
        return visit_of(self.request._request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("x-request-id", self.visit.request_id)
        key = getattr(request, "_auth", None)
        if isinstance(key, ApiKey) and keys.needs_touch(key, now=timezone.now()):
            note_use_afterwards(response, key)
        return response


class OpenView(View):
    """An endpoint for everybody."""

    authentication_classes = []


def note_use_afterwards(response: HttpResponseBase, key: ApiKey) -> None:
    """Write `last_used_at` once the answer is out, so that nobody waits for it."""
    close = response.close

    def close_and_note() -> None:
        try:
            keys.touch(key=key, now=timezone.now())
        except DatabaseError:
            logger.warning("cannot note that key %s was used", key.public_id, exc_info=True)
        finally:
            close()

    response.close = close_and_note  # type: ignore[method-assign]


def answer(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer, without DRF's rendering."""
    return HttpResponse(jsonio.dumps(data), status=status, content_type="application/json", headers=headers)


def failure(problem: Problem) -> HttpResponse:
    """The answer that tells a problem."""
    return answer(problem.body(), status=problem.status, headers=problem.headers)


def read_json(request: Request) -> Any:
    """The body's JSON value. Raises ApiError: 415, 413 or 400."""
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ApiError(of_status(415, "Send JSON, with the header 'Content-Type: application/json'."))
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > MAX_BODY_WITH_IMAGES_BYTES:
        raise ApiError(too_large(MAX_BODY_WITH_IMAGES_BYTES))
    raw = request._request.body
    if len(raw) > MAX_BODY_WITH_IMAGES_BYTES or (len(raw) > MAX_BODY_BYTES and b"data:image/" not in raw):
        raise ApiError(too_large(MAX_BODY_BYTES))
    try:
        return jsonio.loads(raw)
    except jsonio.BadJson as error:
        raise invalid(f"The body is not valid JSON: {error}.", code="invalid_json") from None


def too_large(limit: int) -> Problem:
    """The 413 that names the limit."""
    return of_status(413, f"The body is larger than {limit // 1024**2} MB.")


def release_connections() -> None:
    """Give this thread's database connection back before a wait, which may last for minutes."""
    close_old_connections()
