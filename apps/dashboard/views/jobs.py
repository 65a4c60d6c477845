"""Jobs: the list, one job's story, and the ways to end it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.claude.catalog import MODELS
from apps.dashboard import deeds, stories
from apps.dashboard.queries import jobs as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs import details
from apps.jobs.models import Job
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


def _job(visit: Visit, job_id: str) -> Job:
    job = queries.one(visit.project, job_id)
    if job is None:
        raise Http404("There is no such job in this project.")
    return job
