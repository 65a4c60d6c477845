"""What tools, agents, skills and models there are, and who in the project may use them."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from apps.dashboard.queries import capabilities as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list, narrowed by kind and text."""
    kind, text = request.GET.get("kind", ""), request.GET.get("text", "").strip()[:100]
    profiles = queries.profiles(visit.project)
    context = {
        "section": "capabilities",
        "kind": kind,
        "text": text,
        "kinds": queries.KINDS,
        "profiles": profiles,
        "groups": queries.things(profiles, kind=kind, text=text),
    }
    if request.headers.get("HX-Request"):
        return show(request, visit, "capabilities#capability_rows", context)
    return show(request, visit, "capabilities", context)
