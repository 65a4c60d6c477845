"""`POST /v1/task`: submit a task and wait for it, watch it, or come back later. A client that leaves stops nothing."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from django.conf import settings
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import jsonio, outcomes, sse
from apps.api.answers import answer
from apps.api.base import EventStreamRenderer, View
from apps.api.body import read_json
from apps.api.later import Later
from apps.api.schema.tasks import task_schema
from apps.api.streams import event_stream
from apps.api.tasks.requests import read
from apps.jobs.events import Event
from apps.jobs.following import follow_batches
from apps.jobs.models import Job
from apps.jobs.wire import job_object
from apps.keys.models import ApiKey


class Tasks(View):
    """Agentic tasks."""

    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @task_schema
    def post(self, request: Request) -> HttpResponseBase:
        """Run a task with tools, agents and skills."""
        reading = read(
            read_json(request),
            default_model=self.default_model,
            longest_seconds=settings.JOB_TIMEOUT_SECONDS,
        )
        job = self.submit(reading.task)
        return _answer(job, self.caller, stream=reading.stream, later=is_async(request))


def _answer(job: Job, key: ApiKey, *, stream: bool, later: bool) -> HttpResponseBase:
    if stream:
        return StreamingHttpResponse(_streamed(job.id, key), content_type=sse.CONTENT_TYPE, headers=sse.HEADERS)
    if later:
        headers = {"Location": f"/v1/jobs/{job.id}", "Preference-Applied": "respond-async"}
        return answer(job_object(job), status=202, headers=headers)
    return Later(partial(_whole, job.id))


async def _whole(job_id: str) -> HttpResponseBase:
    """The job object; of a job that failed the problem, and the job object beside it."""
    event = await _terminal_event(job_id)
    if event.type == "done":
        return answer(event.data)
    problem = outcomes.of_job(event.data)
    return answer({**problem.body(), "job": event.data}, status=problem.status, headers=problem.headers)


async def _terminal_event(job_id: str) -> Event:
    async with aclosing(follow_batches(job_id)) as batches:
        async for batch in batches:
            if batch[-1].terminal:
                return batch[-1]
    raise RuntimeError(f"following {job_id} ended before the job did")


async def _streamed(job_id: str, key: ApiKey) -> AsyncGenerator[bytes]:
    """The job's id at once, then its events as `/v1/jobs/{id}/events` has them."""
    yield sse.event(type="queued", data=jsonio.dumps({"type": "queued", "job_id": job_id}))
    async with aclosing(event_stream(job_id, after=0, key=key)) as parts:
        async for part in parts:
            yield part


def is_async(request: Request) -> bool:
    """Whether the client prefers not to wait (RFC 7240)."""
    wishes = request.META.get("HTTP_PREFER", "").lower().replace(";", ",").split(",")
    return "respond-async" in (wish.strip() for wish in wishes)
