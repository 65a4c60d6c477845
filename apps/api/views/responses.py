"""`/v1/responses`: OpenAI's Responses API. A response is a chat job, found again by its id."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import watching
from apps.api.answers import answer, failure
from apps.api.base import EventStreamRenderer, View
from apps.api.body import read_json
from apps.api.later import Later
from apps.api.openai.content import Media
from apps.api.openai.fields import wrong_value
from apps.api.openai.remote import fetched
from apps.api.problems import ApiError, Problem, of_status
from apps.api.query import listing, whole
from apps.api.responses.answers import job_id, response
from apps.api.responses.input_items import items
from apps.api.responses.requests import WIRE, previous, read
from apps.api.responses.streaming import Stream
from apps.api.schema.responses import cancel_schema, create_schema, delete_schema, input_items_schema, retrieve_schema
from apps.jobs import conversations, erasing
from apps.jobs import services as jobs
from apps.jobs.conversations import NOTHING_SAID, Conversation
from apps.jobs.models import Job
from apps.jobs.wire import job_object
from apps.keys.models import ApiKey


class Responses(View):
    """OpenAI's responses."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @create_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Create a response."""
        body = read_json(request)
        continued = previous(body)
        earlier = _earlier(_find(self.caller, continued, "previous_response_id")) if continued else NOTHING_SAID
        media = Media(remote_images=settings.REMOTE_IMAGES)
        reading = read(body, default_model=self.default_model, earlier=earlier, media=media)
        job = self.submit(fetched(reading.chat))
        if not reading.background:
            self.end_with_client(job)
        begun, echo = job_object(job), reading.chat.echo
        if reading.background and not reading.stream:
            return _with_ignored(answer(response(begun, echo)), reading.ignored)
        words = _words(begun, echo)
        watched = watching.streamed if reading.stream else watching.whole
        return _with_ignored(Later(partial(watched, job.id, words, self.visit)), reading.ignored)


class OneResponse(View):
    """One response of the project."""

    http_method_names = ["get", "head", "delete"]
    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @retrieve_schema
    def get(self, request: Request, response_id: str) -> HttpResponseBase:
        """Look at a response, or with `stream=true` follow it from any sequence number on."""
        job = _find(self.caller, response_id)
        query = request._request.GET
        if query.get("stream") != "true":
            return answer(response(job_object(job), _echo(job)))
        after = query.get("starting_after", "-1")
        if not after.removeprefix("-").isdecimal() or len(after) > 9:
            raise wrong_value("starting_after", "'starting_after' is a sequence number.")
        words = _words(job_object(job), _echo(job), after=int(after))
        return Later(partial(watching.streamed, job.id, words, self.visit))

    @delete_schema
    def delete(self, request: Request, response_id: str) -> HttpResponse:
        """Forget what was asked and answered. What it cost stays."""
        job = _find(self.caller, response_id)
        try:
            erasing.erase(job=job, actor=f"key:{self.caller.public_id}", now=timezone.now())
        except erasing.StillRuns as error:
            raise ApiError(Problem(409, str(error), "still_running", headers={"x-should-retry": "false"})) from None
        return answer({"id": response_id, "object": "response", "deleted": True})


class ResponseInput(View):
    """What a response was asked."""

    @input_items_schema
    def get(self, request: Request, response_id: str) -> HttpResponse:
        """A page of the items that the model read: those of the responses it continues come first."""
        job = _find(self.caller, response_id)
        query = request._request.GET
        limit = whole(query, "limit", 20, least=1, most=100)
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise wrong_value("order", "'order' is asc or desc.")
        found = items(job.pk, job.request.get("turns") or ())
        found = found if order == "asc" else found[::-1]
        if after := query.get("after"):
            places = [index for index, item in enumerate(found, 1) if item["id"] == after]
            if not places:
                raise wrong_value("after", "'after' is the id of an item of this response.")
            found = found[places[0] :]
        return answer(listing(found[:limit], has_more=len(found) > limit))


class ResponseCancel(View):
    """Stopping a response."""

    @cancel_schema
    def post(self, request: Request, response_id: str) -> HttpResponse:
        """Cancel a response. One that has ended stays as it is; a running one ends within seconds."""
        job = _find(self.caller, response_id)
        jobs.cancel(job=job, now=timezone.now())
        job = _find(self.caller, response_id)
        return answer(response(job_object(job), _echo(job)))


def _find(key: ApiKey, response_id: str, param: str | None = None) -> Job:
    """The job of a response that was stored. Raises ApiError (404), also for another project's."""
    job = None
    if response_id.startswith("resp_"):
        job = Job.objects.of(key.project).filter(pk=job_id(response_id)).select_related("project").first()
    if job is None or not _is_stored(job):
        problem = of_status(404, f"There is no response '{response_id[:64]}'.")
        raise ApiError(replace(problem, param=param))
    return job


def _is_stored(job: Job) -> bool:
    echo = _echo(job)
    return echo.get("wire") == WIRE and echo.get("store") is not False


def _echo(job: Job) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], job.request.get("echo") or {})


def _earlier(job: Job) -> Conversation:
    """What was said until that response. Raises ApiError while there is no answer."""
    try:
        return conversations.of_job(job)
    except conversations.CannotContinue as error:
        raise wrong_value("previous_response_id", str(error)) from None


def _words(begun: Mapping[str, Any], echo: Mapping[str, Any], *, after: int = -1) -> watching.Words:
    return watching.Words(whole=lambda job: response(job, echo), failure=failure, stream=Stream(begun, echo, after))


def _with_ignored(found: HttpResponseBase, ignored: tuple[str, ...]) -> HttpResponseBase:
    if ignored:
        found.headers["x-ignored-params"] = ", ".join(ignored)
    return found
