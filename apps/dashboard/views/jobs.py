"""Jobs: the list, one job's story, and the ways to end it."""

from pathlib import PurePosixPath
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.claude.catalog import MODELS
from apps.dashboard import deeds, stories
from apps.dashboard.queries import jobs as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs import approvals, artifacts, details
from apps.jobs.models import Job
from apps.jobs.reasons import explain
from apps.keys.models import Role


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list. htmx asks for its rows alone."""
    filters = queries.Filters.read(request.GET)
    found = queries.listed(visit.project, filters, before=request.GET.get("before", "")[:36])
    context: dict[str, Any] = {
        "section": "jobs",
        "filters": filters,
        "rows": [(job, queries.prompt_of(job)) for job in found.jobs],
        "older": found.older,
        "paged": bool(request.GET.get("before")),
    }
    if request.headers.get("HX-Request"):
        return show(request, visit, "jobs#job_rows", context)
    context |= {
        "keys": queries.keys_of(visit.project),
        "statuses": queries.STATUSES,
        "kinds": queries.KINDS,
        "models": MODELS,
    }
    return show(request, visit, "jobs", context)


@require_GET
@page()
def one(request: HttpRequest, visit: Visit, job_id: str) -> HttpResponse:
    """One job. htmx asks for its head alone."""
    job = _job(visit, job_id)
    story = stories.of(job)
    context = {
        "section": "jobs",
        "job": job,
        "prompt": queries.prompt_of(job),
        "story": story,
        "left": details.read(job.details),
        "calls": story.calls,
        "why": explain(job.error_code),
        "live": job.is_open,
    }
    if request.headers.get("HX-Request"):
        return show(request, visit, "job#job_body", context)
    return show(request, visit, "job", context)


@require_POST
@page(Role.MEMBER)
def cancel(request: HttpRequest, visit: Visit, job_id: str) -> HttpResponse:
    """End it."""
    job = _job(visit, job_id)
    if deeds.cancel(job=job, visit=visit):
        messages.success(request, "Cancelled. What was spent until now is billed.")
    else:
        messages.info(request, "The job had ended already.")
    return redirect("dashboard:job", visit.project.slug, job.pk)


@require_POST
@page(Role.MEMBER)
def decide(request: HttpRequest, visit: Visit, job_id: str, call_id: str) -> HttpResponse:
    """Let a tool call that waits run once, let its tool run for the rest of the job, or deny the call."""
    decision = request.POST.get("decision", "")
    if decision not in approvals.DECISIONS:
        raise BadRequest("A decision is once, job or deny.")
    try:
        approvals.decide_as_member(
            user=visit.user,
            job=_job(visit, job_id),
            call_id=call_id,
            decision=decision,
            now=visit.now,
            ip=visit.ip,
        )
    except approvals.ApprovalNotFound as error:
        raise Http404(str(error)) from None
    except approvals.MayNotDecide as error:
        raise PermissionDenied(str(error)) from None
    except approvals.NotWaiting as error:
        messages.info(request, str(error))
    else:
        messages.success(request, "Denied." if decision == "deny" else "Approved; the job goes on.")
    match request.POST.get("back"):
        case "overview":
            return redirect("dashboard:overview", visit.project.slug)
        case "all":
            return redirect("dashboard:all")
    return redirect("dashboard:job", visit.project.slug, job_id)


@require_GET
@page()
def artifact(request: HttpRequest, visit: Visit, job_id: str, name: str) -> HttpResponseBase:
    """A file that a task left. Whatever it holds, a browser only ever saves it."""
    try:
        found = artifacts.open_artifact(job=_job(visit, job_id), name=name)
    except (artifacts.ArtifactNotFound, artifacts.ArtifactGone) as error:
        raise Http404(str(error)) from None
    headers = {"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "no-store"}
    return FileResponse(
        found.file,
        as_attachment=True,
        filename=PurePosixPath(found.name).name,
        content_type="application/octet-stream",
        headers=headers,
    )


def _job(visit: Visit, job_id: str) -> Job:
    job = queries.one(visit.project, job_id)
    if job is None:
        raise Http404("There is no such job in this project.")
    return job
