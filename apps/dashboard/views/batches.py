"""Batches: many requests that were asked together."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.dashboard import deeds
from apps.dashboard.queries import batches as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs.batches.models import Batch
from apps.keys.models import Role


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list. htmx asks for its rows alone."""
    found = queries.listed(visit.project, before=request.GET.get("before", "")[:38])
    context = {
        "section": "batches",
        "rows": list(zip(found.batches, queries.progress(found.batches), strict=True)),
        "older": found.older,
        "paged": bool(request.GET.get("before")),
    }
    return show(request, visit, "batches#batch_rows" if request.headers.get("HX-Request") else "batches", context)


@require_GET
@page()
def one(request: HttpRequest, visit: Visit, batch_id: str) -> HttpResponse:
    """One batch and a page of its items. htmx asks for its body alone."""
    batch, after = _batch(visit, batch_id), request.GET.get("after", "")
    rows, older = queries.items(batch, after=int(after[:9]) if after.isdigit() else -1)
    [progress] = queries.progress([batch])
    context = {"section": "batches", "batch": batch, "progress": progress, "rows": rows, "next": older}
    return show(request, visit, "batch#batch_body" if request.headers.get("HX-Request") else "batch", context)


@require_POST
@page(Role.MEMBER)
def cancel(request: HttpRequest, visit: Visit, batch_id: str) -> HttpResponse:
    """Ask no more of it."""
    if deeds.cancel_batch(batch=_batch(visit, batch_id), visit=visit):
        messages.success(request, "Cancelling: nothing more is asked, and what runs is ended.")
    else:
        messages.info(request, "It was ending already.")
    return redirect("dashboard:batch", visit.project.slug, batch_id)


def _batch(visit: Visit, batch_id: str) -> Batch:
    batch = queries.one(visit.project, batch_id)
    if batch is None:
        raise Http404("There is no such batch in this project.")
    return batch
