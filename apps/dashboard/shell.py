"""What every page has around it: navigation, project, search."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.dashboard.visits import Survey, Visit
from apps.keys.models import Role

SECTIONS = (
    ("overview", "Overview", "o", Role.VIEWER),
    ("jobs", "Jobs", "j", Role.VIEWER),
    ("keys", "Keys", "k", Role.VIEWER),
    ("budgets", "Budgets", "b", Role.VIEWER),
    ("batches", "Batches", "s", Role.VIEWER),
    ("capabilities", "Capabilities", "c", Role.VIEWER),
    ("playground", "Playground", "p", Role.MEMBER),
    ("members", "Members", "m", Role.VIEWER),
    ("audit", "Audit", "a", Role.OWNER),
)
"""Name of the address and the icon, word, key to go there, and whose it is."""


@dataclass(frozen=True, slots=True)
class Section:
    """A place that the rail leads to. `key` goes there after a `g`."""

    name: str
    word: str
    key: str
    url: str


def show(
    request: HttpRequest,
    visit: Visit | Survey,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """A page of the dashboard, or the part of it that htmx asked for."""
    name, _, part = template.partition("#")
    around: dict[str, Any] = {
        "visit": visit,
        "project": visit.project if isinstance(visit, Visit) else None,
        "origin": f"{request.scheme}://{request.get_host()}",
    }
    if part:
        return render(request, f"dashboard/parts/{part}.html", around | (context or {}), status=status)
    around |= _of_a_project(visit) if isinstance(visit, Visit) else _of_all()
    around |= {"demo": settings.DEMO, "projects": visit.projects()}
    return render(request, f"dashboard/{name}.html", around | (context or {}), status=status)


def _of_a_project(visit: Visit) -> dict[str, Any]:
    slug = visit.project.slug
    theirs = [each for each in SECTIONS if visit.may(each[3]) or (each[0] == "audit" and visit.reads_record)]
    return {
        "sections": [
            Section(name, word, key, reverse(f"dashboard:{name}", args=[slug])) for name, word, key, _ in theirs
        ],
        "live_url": reverse("dashboard:overview", args=[slug]) + "live",
        "search_url": reverse("dashboard:search", args=[slug]),
    }


def _of_all() -> dict[str, Any]:
    return {
        "sections": [
            Section("overview", "Overview", "o", reverse("dashboard:all")),
            Section("jobs", "Jobs", "j", reverse("dashboard:all-jobs")),
        ],
        "live_url": reverse("dashboard:all") + "live",
        "search_url": reverse("dashboard:all-search"),
    }
