"""The overview: how much, of what, how well, and what needs somebody."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.dashboard import charts, figures, ranges
from apps.dashboard.queries import budgets, jobs
from apps.dashboard.queries import usage as queries
from apps.dashboard.queries.usage import Usage
from apps.dashboard.queries.waiting import waiting
from apps.dashboard.shell import show
from apps.dashboard.views.home import LAST
from apps.dashboard.visits import Visit, page
from apps.jobs.usage import Dimension, Scope

GROUPS: dict[str, Dimension] = {"model": "model", "key": "key", "kind": "kind"}


@dataclass(frozen=True, slots=True)
class Stat:
    """One of the large figures. `change` compares with the period before; `tone` says whether that is good or bad."""

    title: str
    value: str
    exact: str
    note: str
    change: str
    tone: str
    line: str
    area: str


@require_GET
@page()
def overview(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The page. htmx asks for what waits for a word, and what runs now, alone."""
    ids = [visit.project.pk]
    happening = {
        "running": [(job, jobs.prompt_of(job)) for job in jobs.running(visit.project)],
        "waiting": waiting(ids, works_in=ids if visit.works else (), now=visit.now),
        "here": reverse("dashboard:overview", args=[visit.project.slug]),
    }
    if request.headers.get("HX-Request"):
        return show(request, visit, "overview#happening", happening)
    if request.session.get(LAST) != visit.project.slug:
        request.session[LAST] = visit.project.slug
    period = ranges.read(request.GET, now=visit.now)
    by = GROUPS.get(request.GET.get("by", ""), "model")
    scope = Scope(ids)
    usage = queries.of(scope, period, by=by)
    context: dict[str, Any] = {
        "section": "overview",
        **happening,
        **figures_of(request, usage, by=by, now=visit.now),
        "groups": GROUPS,
        "budgets": budgets.standings(visit.project, now=visit.now, active_only=True, most=4),
        "alerts": budgets.alerts(ids, since=period.start, most=3),
        "top_keys": queries.top(scope, period, "key", known=usage.grouped if by == "key" else None),
        "top_models": queries.top(scope, period, "model", known=usage.grouped if by == "model" else None),
        **ranges.context(period),
    }
    return show(request, visit, "overview", context)


def figures_of(request: HttpRequest, usage: Usage, *, by: Dimension, now: datetime) -> dict[str, Any]:
    """The large figures and the charts, as the address asks for them."""
    measure = charts.MEASURES.get(request.GET.get("show", ""), charts.MEASURES["spend"])
    return {
        "stats": stats(usage),
        "chart": charts.stacked(measure, usage.grouped, by=by, now=now, before=usage.steps_before),
        "small_charts": [charts.outcomes(usage.steps, now=now), charts.latency(usage.steps, now=now)],
        "by": by,
        "measure": measure,
        "measures": charts.MEASURES.values(),
        "errors": _errors(usage),
    }


def _errors(usage: Usage) -> list[tuple[str, int]]:
    """What went wrong most; a cancel is somebody's wish."""
    found = [(code, number) for code, number in usage.now.errors.items() if code != "cancelled"]
    return sorted(found, key=lambda item: -item[1])[:3]


def stats(usage: Usage) -> list[Stat]:
    """The six large figures."""
    now, before, rows = usage.now, usage.before, usage.steps.rows
    ended, ended_before = now.requests - now.cancelled, before.requests - before.cancelled if before else 0
    first = now.first_token.p50_seconds
    first_before = before.first_token.p50_seconds if before else None
    return [
        _stat("Spend", figures.money(now.cost_microusd), figures.exact_money(now.cost_microusd), "", rows,
              lambda f: f.cost_microusd, now.cost_microusd, before.cost_microusd if before else None),
        _stat("Tokens", figures.compact(now.total_tokens), f"{now.total_tokens:,}", "", rows,
              lambda f: f.total_tokens, now.total_tokens, before.total_tokens if before else None),
        _stat("Requests", figures.compact(now.requests), f"{now.requests:,}", "", rows,
              lambda f: f.requests, now.requests, before.requests if before else None),
        _stat("Success", figures.percent(now.completed, ended), f"{now.completed:,} of {ended:,}", "", rows,
              lambda f: f.completed / ((f.requests - f.cancelled) or 1),
              now.completed / ended if ended else 0, before.completed / ended_before if before and ended_before else 0,
              better=1, points=True),
        _stat("First token", figures.duration(first), "Half of the requests wait at most so long", "", rows,
              lambda f: f.first_token.p50_seconds, first or 0, first_before or 0, better=-1),
        _stat("Cache saved", figures.money(now.saved_microusd), figures.exact_money(now.saved_microusd),
              f"{100 * (now.cache_hit_rate or 0):.0f} % cached", rows,
              lambda f: f.saved_microusd, 0, 0),
    ]  # fmt: skip


def _stat(
    title: str,
    value: str,
    exact: str,
    note: str,
    rows: Any,
    of: Any,
    now: float,
    before: float | None,
    *,
    better: int = 0,
    points: bool = False,
) -> Stat:
    """`better`: 1 where more is good, -1 where less is, 0 where it is neither. `points`: shares differ by points."""
    change = ""
    if before:
        difference = now - before
        change = f"{100 * difference:+.1f} points".replace("-", "−") if points else figures.change(now, before)
        if points and abs(difference) < 0.0005:
            change = "±0 points"
    moved = (now > before) - (now < before) if before else 0
    small = change.startswith("±") or not change
    tone = "" if small or not better else "good" if moved == better else "bad"
    line, area = charts.spark(rows, of)
    return Stat(title, value, exact, note, change, tone, line, area)
