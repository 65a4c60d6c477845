"""All projects that somebody may see, at once: how much, what runs, every job, and where a search leads."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.claude.catalog import MODELS
from apps.dashboard import ranges
from apps.dashboard.queries import budgets
from apps.dashboard.queries import everywhere as queries
from apps.dashboard.queries import jobs as of_jobs
from apps.dashboard.queries import usage as usages
from apps.dashboard.queries.waiting import waiting, works_in
from apps.dashboard.shell import show
from apps.dashboard.views.home import LAST
from apps.dashboard.views.overview import figures_of
from apps.dashboard.visits import Survey, everywhere
from apps.jobs.usage import Dimension, Scope
from apps.keys.models import ApiKey

GROUPS: dict[str, Dimension] = {"project": "project", "model": "model", "key": "key"}


@require_GET
@everywhere
def overview(request: HttpRequest, survey: Survey) -> HttpResponse:
    """The page. htmx asks for what waits for a word, and what runs now, alone."""
    happening = {
        "running": [(job, of_jobs.prompt_of(job)) for job in queries.running(survey)],
        "waiting": waiting(survey.ids, works_in=works_in(survey.user), now=survey.now),
        "here": reverse("dashboard:all"),
    }
    if request.headers.get("HX-Request"):
        return show(request, survey, "all#happening", happening)
    if survey.ids == []:
        return redirect("dashboard:home")
    request.session.pop(LAST, None)
    period = ranges.read(request.GET, now=survey.now)
    by = GROUPS.get(request.GET.get("by", ""), "project")
    usage = usages.of(Scope(survey.ids), period, by=by)
    context: dict[str, Any] = {
        "section": "overview",
        **happening,
        **figures_of(request, usage, by=by, now=survey.now),
        "groups": GROUPS,
        "rows": queries.project_rows(survey, period, known=usage.grouped if by == "project" else None),
        "alerts": budgets.alerts(survey.ids, since=period.start, most=4),
        **ranges.context(period),
    }
    return show(request, survey, "all", context)


@require_GET
@everywhere
def jobs(request: HttpRequest, survey: Survey) -> HttpResponse:
    """Every job of theirs, newest first. htmx asks for the rows alone."""
    filters = of_jobs.Filters.read(request.GET)
    found = queries.listed(survey, filters, before=request.GET.get("before", "")[:36])
    context: dict[str, Any] = {
        "section": "jobs",
        "filters": filters,
        "rows": [(job, of_jobs.prompt_of(job)) for job in found.jobs],
        "older": found.older,
        "paged": bool(request.GET.get("before")),
        "statuses": of_jobs.STATUSES,
        "kinds": of_jobs.KINDS,
        "models": MODELS,
    }
    return show(request, survey, "jobs#job_rows" if request.headers.get("HX-Request") else "jobs", context)


@require_GET
@everywhere
def search(request: HttpRequest, survey: Survey) -> HttpResponse:
    """A project by its name, a job by its id, a key by its id or name."""
    text = request.GET.get("q", "").strip()[:200]
    project = survey.of().filter(slug=text).first() or survey.of().filter(name__iexact=text).first()
    if project and text:
        return redirect("dashboard:overview", project.slug)
    if text.startswith("job_") and (job := queries.one(survey, text)):
        return redirect("dashboard:job", job.project.slug, text)
    keys = ApiKey.objects.select_related("project").filter(project__in=survey.of())
    key = keys.filter(public_id=text.removeprefix("ccs_live_").split("_")[0]).first()
    key = key or keys.filter(name__iexact=text).order_by("-pk").first()
    if key and text:
        return redirect("dashboard:key", key.project.slug, key.public_id)
    return show(request, survey, "search", {"text": text}, status=404)
