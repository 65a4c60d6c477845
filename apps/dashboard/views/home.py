"""The way in: where the bare address leads, and where a search does."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs.models import Job
from apps.keys.models import ApiKey, Project

LAST = "dashboard_project"


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The project looked at last; else the only one there is, or all of them."""
    theirs = Project.objects.of(request.user)
    last = request.session.get(LAST)
    slug = theirs.filter(slug=last).values_list("slug", flat=True).first() if last else None
    if slug:
        return redirect("dashboard:overview", slug)
    match list(theirs.order_by("slug").values_list("slug", flat=True)[:2]):
        case []:
            return render(request, "dashboard/nothing.html")
        case [only]:
            return redirect("dashboard:overview", only)
        case _:
            return redirect("dashboard:all")


@require_GET
@page()
def search(request: HttpRequest, visit: Visit) -> HttpResponse:
    """A job by its id, a key by its id or name, a session's or a batch's jobs."""
    text = request.GET.get("q", "").strip()[:200]
    slug = visit.project.slug
    if text.startswith("job_") and Job.objects.of(visit.project).filter(pk=text).exists():
        return redirect("dashboard:job", slug, text)
    public_id = text.removeprefix("ccs_live_").split("_")[0]
    key = ApiKey.objects.filter(project=visit.project, public_id=public_id).first()
    key = key or ApiKey.objects.filter(project=visit.project, name__iexact=text).order_by("-pk").first()
    if key:
        return redirect("dashboard:key", slug, key.public_id)
    for name in ("session", "batch"):
        if text and Job.objects.of(visit.project).filter(**{f"{name}_id": text}).exists():
            return redirect(f"{reverse('dashboard:jobs', args=[slug])}?{urlencode({name: text})}")
    return show(request, visit, "search", {"text": text}, status=404)
