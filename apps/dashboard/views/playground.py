"""The playground: try a chat or a task in the browser, over the same WebSocket that programs use."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from apps.capabilities.models import Capability
from apps.claude.catalog import MODELS
from apps.dashboard.queries import keys as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs.routes import AUTO
from apps.jobs.taskrequests import HARMLESS_TOOLS
from apps.keys import tickets
from apps.keys.models import Role
from apps.permissions import known

MOST = 200


@require_GET
@page(Role.MEMBER)
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The page."""
    found = list(Capability.objects.usable().order_by("name")[:MOST])
    context = {
        "section": "playground",
        "keys": queries.listed(visit.project, state="usable", before="", now=visit.now).keys,
        "models": [(model.alias or model.id, model.display_name) for model in MODELS],
        "auto": AUTO,
        "tools": [(name, name in HARMLESS_TOOLS) for name in known.TOOLS],
        "agents": [each for each in found if each.kind == "agent"],
        "skills": [each for each in found if each.kind == "skill"],
    }
    return show(request, visit, "playground", context)


@require_POST
@page(Role.MEMBER)
def ticket(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What opens the WebSocket, as a key of the project. Who took it is on record."""
    key = queries.one(visit.project, request.POST.get("key", ""))
    if key is None or not key.is_usable(now=visit.now):
        return JsonResponse({"error": "Choose a key of this project that works."}, status=422)
    try:
        made = tickets.issue(key=key, **visit.deed)
    except tickets.NoTickets as error:
        return JsonResponse({"error": str(error)}, status=503)
    return JsonResponse({"ticket": made}, headers={"Cache-Control": "no-store"})
