"""The project's record, for its owners; staff go on into the admin."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from apps.dashboard.queries import audit as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.keys.models import Role


@require_GET
@page(Role.OWNER, or_staff=True)
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list."""
    filters = queries.Filters.read(request.GET)
    found = queries.listed(visit.project, filters, before=request.GET.get("before", ""))
    context = {"section": "audit", "filters": filters, "events": found.events, "older": found.older}
    return show(request, visit, "audit", context)
