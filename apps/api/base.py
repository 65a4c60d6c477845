"""What all endpoints share: who may call, how a body is read, how an answer is written."""

from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api import jsonio
from apps.api.authentication import KeyAuthentication
from apps.api.later import without_gateway
from apps.api.visits import Visit, is_served_by_gateway, visit_of
from apps.jobs import services as jobs
from apps.jobs.models import Job, Lane
from apps.jobs.requests import Request as JobRequest
from apps.keys.models import ApiKey


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
    http_method_names = ["get", "head", "post"]
    default_response_headers: dict[str, str] = {}

    @property
    def caller(self) -> ApiKey:
        """Who is asking."""
        return cast(ApiKey, self.request.auth)

    @property
    def visit(self) -> Visit:
        """This request, as the outside sees it."""
        return visit_of(self.request._request)

    @property
    def default_model(self) -> str:
        """What a request of this caller is answered by if it names no model."""
        return self.caller.default_model or settings.DEFAULT_MODEL

    def submit(self, request: JobRequest, *, lane: Lane = Lane.INTERACTIVE) -> Job:
        """Queue what the body asks for; the answer will carry the job's id and where the caller's rate limits stand.

        Every view that makes a job does it here. Raises what `jobs.submit` raises.
        """
        job = jobs.submit(
            key=self.caller, request=request, request_id=self.visit.request_id, now=timezone.now(), lane=lane
        )
        self._answer_headers["x-job-id"] = job.id
        if job.rate:
            self._answer_headers.update(job.rate.headers())
        return job

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._answer_headers: dict[str, str] = {}
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self._answer_headers.items():
            response.headers.setdefault(name, value)
        key = getattr(request, "_auth", None)
        self.visit.key = key if isinstance(key, ApiKey) else None
        if is_served_by_gateway(self.request._request):
            return response
        return without_gateway(response, self.visit)


class OpenView(View):
    """An endpoint for everybody."""

    authentication_classes = []
