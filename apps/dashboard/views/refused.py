"""Requests that were refused, and why."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from apps.dashboard.queries import refusals as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list, of one key or one request if the address says so."""
    key, job = request.GET.get("key", "")[:40], request.GET.get("job", "")[:40]
    found = queries.refused(visit.project, key=key, job=job, before=request.GET.get("before", ""))
    context = {"section": "jobs", "refusals": found.refusals, "older": found.older, "narrowed": bool(key or job)}
    return show(request, visit, "refused", context)
