"""`/v1/jobs`: list, look at, follow and cancel the jobs of the caller's project."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.api import sse
from apps.api.answers import answer
from apps.api.base import EventStreamRenderer, View
from apps.api.frames import frame
from apps.api.openai.fields import wrong_value
from apps.api.problems import ApiError, of_status
from apps.api.query import listing, whole
from apps.api.schema.jobs import cancel_schema, events_schema, job_schema, jobs_schema
from apps.api.streams import event_stream
from apps.claude.catalog import resolve
from apps.jobs import eventlog, valkey
from apps.jobs import services as jobs
from apps.jobs.closing import transcripts
from apps.jobs.events import Event
from apps.jobs.ids import floor_id
from apps.jobs.models import Job, Status
from apps.jobs.wire import job_object
from apps.keys.models import ApiKey

MAX_PAGE = 100


class Jobs(View):
    """The project's jobs."""

    @jobs_schema
    def get(self, request: Request) -> HttpResponse:
        """List jobs, newest first. `after` is the id of the last job of the page before."""
        query = request._request.GET
        limit = whole(query, "limit", 20, least=1, most=MAX_PAGE)
        page = list(_filtered(self.caller, query)[: limit + 1])
        return answer(listing([job_object(job) for job in page[:limit]], has_more=len(page) > limit))


class OneJob(View):
    """One job of the project."""

    @job_schema
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Look at a job."""
        return answer(job_object(find_job(self.caller, job_id)), headers={"x-job-id": job_id})


class JobCancel(View):
    """Stopping a job."""

    @cancel_schema
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel a job. One that has ended stays as it is; a running one ends within seconds."""
        job = find_job(self.caller, job_id)
        jobs.cancel(job=job, now=timezone.now())
        return answer(job_object(find_job(self.caller, job_id)), headers={"x-job-id": job_id})


class JobEvents(View):
    """A job's events."""

    renderer_classes = [EventStreamRenderer, JSONRenderer]

    @events_schema
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Follow a job as server-sent events, or list what has happened so far as JSON."""
        job = find_job(self.caller, job_id)
        after = _starting_after(request)
        headers = {"x-job-id": job_id}
        if request.accepted_renderer.format == "json":
            data = [frame(event, job_id) for event in so_far(job) if event.sequence_number > after]
            return answer({"object": "list", "data": data, "job_status": job.status}, headers=headers)
        if not job.is_open and after >= job.last_sequence_number:
            return HttpResponse(status=204, headers=headers)  # tells an EventSource not to come back
        body = event_stream(job_id, after=after, key=self.caller)
        return StreamingHttpResponse(body, content_type=sse.CONTENT_TYPE, headers={**sse.HEADERS, **headers})


def so_far(job: Job) -> Sequence[Event]:
    """The events of a job until now: the stored transcript, or what is in the log of an open one."""
    if job.is_open:
        entries = cast("list[eventlog.Entry]", valkey.client().xrange(valkey.stream(job.id)))
        return eventlog.decode(entries)
    return transcripts([job.id]).get(job.id, [])


def find_job(key: ApiKey, job_id: str) -> Job:
    """The job of the caller's project. Raises ApiError (404), also for another project's."""
    job = Job.objects.of(key.project).filter(pk=job_id).select_related("project").defer("request").first()
    if job is None:
        raise ApiError(of_status(404, f"There is no job '{job_id[:64]}'."))
    return job


def _filtered(key: ApiKey, query: Mapping[str, str]) -> QuerySet[Job]:
    found = Job.objects.of(key.project).newest_first().select_related("project").defer("request")
    if after := query.get("after"):
        found = found.filter(pk__lt=after)
    if status := query.get("status"):
        if status not in Status.values:
            raise wrong_value("status", f"'status' is one of {', '.join(Status.values)}.")
        found = found.filter(status=status)
    if kind := query.get("kind"):
        found = found.filter(kind=kind)
    if session_id := query.get("session_id"):
        found = found.filter(pk__in=Job.objects.of_session(session_id).values("pk"))
    if model := query.get("model"):
        found = found.filter(model=resolve(model) or model)
    if "created_after" in query:
        found = found.filter(pk__gte=floor_id(_moment(query, "created_after")))
    if "created_before" in query:
        found = found.filter(pk__lt=floor_id(_moment(query, "created_before")))
    return found


def _moment(query: Mapping[str, str], name: str) -> datetime:
    """A time, given in Unix seconds."""
    try:
        return datetime.fromtimestamp(max(0.0, float(query[name])), UTC)
    except (ValueError, OverflowError, OSError):
        raise wrong_value(name, f"'{name}' is a time in Unix seconds.") from None


def _starting_after(request: Request) -> int:
    """The sequence number to resume after: a reconnecting EventSource repeats its address, so its header wins."""
    last_seen = request.META.get("HTTP_LAST_EVENT_ID", "").strip()
    query = {"starting_after": last_seen} if last_seen else request._request.GET
    return whole(query, "starting_after", 0, least=0, most=10**9)
