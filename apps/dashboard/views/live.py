"""What pages listen to: that something in the project changed, and a job's story as it happens. Server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from apps.dashboard import pulses, stories
from apps.dashboard.queries import jobs as queries
from apps.dashboard.timeline import Step, Timeline
from apps.dashboard.visits import Visit, visit
from apps.jobs.events import Event
from apps.jobs.following import follow_batches

PING_SECONDS = 15.0


@require_GET
async def project(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Says `changed` whenever a job of the project comes, starts or ends."""
    there = await _visit(request, slug)
    if there is None:
        return HttpResponse(status=403)
    return _stream(_changes(there.project.pk))


@require_GET
async def job(request: HttpRequest, slug: str, job_id: str) -> HttpResponseBase:
    """The job's story from after an event on: pieces of text, steps as the page shows them, and its end."""
    there = await _visit(request, slug)
    if there is None:
        return HttpResponse(status=403)
    found = await sync_to_async(queries.one)(there.project, job_id)
    if found is None:
        return HttpResponse(status=404)
    after = request.GET.get("after", "0")
    told = await sync_to_async(stories.told)(found)
    await _let_go()
    return _stream(_story(job_id, told, int(after) if after.isdigit() else 0, there))


async def _changes(project_id: int) -> AsyncIterator[str]:
    async with aclosing(pulses.changes(project_id, patience_seconds=PING_SECONDS)) as changes:
        async for changed in changes:
            yield "data: changed\n\n" if changed else ": ping\n\n"


async def _story(job_id: str, told: list[Event], after: int, there: Visit) -> AsyncIterator[str]:
    """`told` are the events so far: steps need what came before them."""
    timeline = Timeline(event for event in told if event.sequence_number <= after)
    batches = follow_batches(job_id, after=timeline.last)
    async with aclosing(batches):
        waiting = asyncio.ensure_future(anext(batches, None))
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=PING_SECONDS)
                if not done:
                    yield ": ping\n\n"
                    continue
                batch = waiting.result()
                if batch is None:
                    return
                for frame in _frames(timeline, batch, there, job_id):
                    yield frame
                if timeline.ended:
                    return
                waiting = asyncio.ensure_future(anext(batches, None))
        finally:
            waiting.cancel()


def _frames(timeline: Timeline, batch: Sequence[Event], there: Visit, job_id: str) -> list[str]:
    """What a batch of events changes on the page: text grows, steps come or are replaced."""
    frames: list[str] = []
    for event in batch:
        known = {step.anchor for step in timeline.steps[-1:]}
        step = timeline.take(event)
        if timeline.ended:
            frames.append("event: end\ndata: {}\n\n")
        elif step is None:
            continue
        elif event.type in ("token", "thinking") and step.anchor in known:
            frames.append(_frame("text", {"step": step.anchor, "text": str(event.data.get("text", ""))}))
        elif event.type != "tool_input":
            top = _top(step)
            frames.append(_frame("step", {"step": top.anchor, "html": _html(top, there, job_id)}))
    return frames


def _html(step: Step, there: Visit, job_id: str) -> str:
    context = {"step": step, "live": True, "visit": there, "project": there.project, "job": {"pk": job_id}}
    return render_to_string("dashboard/parts/step.html", context)


def _top(step: Step) -> Step:
    while step.parent is not None:
        step = step.parent
    return step


def _frame(event: str, data: dict[str, str]) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


async def _visit(request: HttpRequest, slug: str) -> Visit | None:
    """The visit, or None for somebody who is not logged in: a stream cannot be redirected to a login."""
    user = await request.auser()
    if not user.is_authenticated:
        return None
    request.user = user  # loaded, so that nothing asks the database in the event loop
    return await sync_to_async(visit)(request, slug)


async def _let_go() -> None:
    """Give the database connection back: a page may listen for hours."""
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        await sync_to_async(connections.close_all)()


def _stream(parts: AsyncIterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(parts, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
