"""What all endpoints share: who may call, how a body is read, how an answer is written."""

from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api import jsonio, replays
from apps.api.authentication import KeyAuthentication
from apps.api.later import without_gateway
from apps.api.visits import Visit, is_served_by_gateway, visit_of
from apps.jobs import services as jobs
from apps.jobs.idempotency import Once
from apps.jobs.models import Job, Lane
from apps.jobs.requests import Request as JobRequest
from apps.keys import expiry
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

    once: Once | None = None
    """What the request's `Idempotency-Key` says."""
    made_something = False
    """Whether `once` is remembered by what was made: then the answer is not kept."""

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

        Every view that makes a job does it here. Under an `Idempotency-Key` that was sent before it is the job that was
        made then. Raises what `jobs.submit` raises.
        """
        request_id = self.visit.request_id
        job = jobs.submit(
            key=self.caller, request=request, request_id=request_id, now=timezone.now(), lane=lane, once=self.once
        )
        self.made_something = True
        self._answer_headers["x-job-id"] = job.id
        if job.rate:
            self._answer_headers.update(job.rate.headers())
        if job.request_id != request_id:
            self._answer_headers.update(replays.REPLAYED)
        return job

    def end_with_client(self, job: Job) -> None:
        """Have the job cancelled should the client leave. With an `Idempotency-Key` it has said that it may be back."""
        if self.once is None:
            self.visit.job_id = job.id

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self._answer_headers: dict[str, str] = {}
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiKey):
            self.once = replays.once_of(request._request)
        if self.once:
            self._replay(self.once)

    def _replay(self, once: Once) -> None:
        try:
            replays.replay(key=self.caller, once=once, now=timezone.now())
        except replays.Replayed:
            self.made_something = True
            raise

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self._answer_headers.items():
            response.headers.setdefault(name, value)
        key = getattr(request, "_auth", None)
        self.visit.key = key if isinstance(key, ApiKey) else None
        if self.visit.key:
            for name, value in expiry.headers(self.visit.key, now=timezone.now()).items():
                response.headers[name] = value
        if self.once and not self.made_something:
            replays.store(key=self.caller, once=self.once, response=response, now=timezone.now())
        if is_served_by_gateway(self.request._request):
            return response
        return without_gateway(response, self.visit)


class OpenView(View):
    """An endpoint for everybody."""

    authentication_classes = []
