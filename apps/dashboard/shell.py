"""What every page has around it: navigation, project, search."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.dashboard.visits import Visit
from apps.keys.models import Role

SECTIONS = (
    ("overview", "Overview", "o", Role.VIEWER),
    ("jobs", "Jobs", "j", Role.VIEWER),
    ("keys", "Keys", "k", Role.VIEWER),
    ("budgets", "Budgets", "b", Role.VIEWER),
    ("batches", "Batches", "s", Role.VIEWER),
    ("capabilities", "Capabilities", "c", Role.VIEWER),
    ("playground", "Playground", "p", Role.MEMBER),
    ("audit", "Audit", "a", Role.OWNER),
)
"""Name of the address and the icon, word, key to go there, and whose it is."""


def show(
    request: HttpRequest, visit: Visit, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page of the dashboard, or the part of it that htmx asked for."""
    name, _, part = template.partition("#")
    around = {
        "visit": visit,
        "project": visit.project,
        "sections": [section for section in SECTIONS if visit.may(section[3])],
        "demo": settings.DEMO,
        "origin": f"{request.scheme}://{request.get_host()}",
    }
    if part:
        return render(request, f"dashboard/parts/{part}.html", around | (context or {}), status=status)
    around["projects"] = visit.projects()
    return render(request, f"dashboard/{name}.html", around | (context or {}), status=status)
