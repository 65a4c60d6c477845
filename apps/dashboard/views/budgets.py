"""Budgets: make, change, increase for a while, switch, and who holds what."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.budgets import services
from apps.budgets.models import Budget, Hold
from apps.dashboard.forms import BudgetForm, BudgetTermsForm, IncreaseForm, take_faults
from apps.dashboard.queries import budgets as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.keys.models import Role


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list."""
    standings = queries.standings(visit.project, now=visit.now)
    context = {
        "section": "budgets",
        "standings": [each for each in standings if each.budget.active],
        "inactive": [each for each in standings if not each.budget.active],
        "alerts": queries.alerts([visit.project.pk], most=10),
    }
    return show(request, visit, "budgets", context)


@require_http_methods(["GET", "POST"])
@page(Role.OWNER)
def new(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Make one."""
    form = BudgetForm(visit.project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            budget = services.create(
                project=visit.project,
                api_key=form.cleaned_data["api_key"],
                cycle=form.cycle(),
                terms=form.terms(),
                **visit.deed,
            )
        except ValidationError as error:
            take_faults(form, error)
        else:
            messages.success(request, "The budget binds every request from now on.")
            return redirect("dashboard:budget", visit.project.slug, budget.pk)
    return show(request, visit, "budget_form", {"section": "budgets", "form": form})


@require_GET
@page()
def one(request: HttpRequest, visit: Visit, budget_id: int) -> HttpResponse:
    """A budget: how it stands, who holds what, its windows and its statement."""
    return _budget_page(request, visit, _budget(visit, budget_id))


@require_POST
@page(Role.OWNER)
def change(request: HttpRequest, visit: Visit, budget_id: int) -> HttpResponse:
    """Put new terms in force."""
    budget = _budget(visit, budget_id)
    form = BudgetTermsForm.of(budget, request.POST)
    if form.is_valid():
        try:
            changed = services.edit(budget=budget, terms=form.terms(), **visit.deed)
        except ValidationError as error:
            take_faults(form, error)
        else:
            messages.success(request, "In force." if changed else "Nothing differed.")
            return redirect("dashboard:budget", visit.project.slug, budget_id)
    return _budget_page(request, visit, budget, form=form)


@require_POST
@page(Role.OWNER)
def increase(request: HttpRequest, visit: Visit, budget_id: int) -> HttpResponse:
    """Raise it for a while."""
    budget = _budget(visit, budget_id)
    form = IncreaseForm(budget, request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            services.increase_temporarily(
                budget=budget,
                extra_microusd=given.get("extra_usd") or 0,
                extra_tokens=given.get("extra_tokens") or 0,
                until=given["until"],
                reason=given["reason"],
                **visit.deed,
            )
        except ValidationError as error:
            take_faults(form, error)
        else:
            messages.success(request, "The increase is in force.")
            return redirect("dashboard:budget", visit.project.slug, budget_id)
    return _budget_page(request, visit, budget, increase_form=form)


@require_POST
@page(Role.OWNER)
def switch(request: HttpRequest, visit: Visit, budget_id: int) -> HttpResponse:
    """Have it bind requests, or not."""
    budget = _budget(visit, budget_id)
    if budget.active:
        services.deactivate(budget=budget, **visit.deed)
        messages.success(request, "It binds no request any more. What is held settles as before.")
    else:
        services.activate(budget=budget, **visit.deed)
        messages.success(request, "It binds requests again.")
    return redirect("dashboard:budget", visit.project.slug, budget_id)


@require_POST
@page(Role.OWNER)
def release(request: HttpRequest, visit: Visit, budget_id: int, hold_id: int) -> HttpResponse:
    """Give a hold back by hand."""
    budget = _budget(visit, budget_id)
    hold = Hold.objects.filter(pk=hold_id, window__budget=budget).select_related("project").first()
    if hold is None:
        raise Http404("There is no such hold.")
    if services.release_manually(hold=hold, reason="released on the dashboard", **visit.deed):
        messages.success(request, "Released. Should the job spend after all, that is booked.")
    else:
        messages.info(request, "The hold had ended already.")
    return redirect("dashboard:budget", visit.project.slug, budget_id)


def _budget_page(
    request: HttpRequest,
    visit: Visit,
    budget: Budget,
    *,
    form: BudgetTermsForm | None = None,
    increase_form: IncreaseForm | None = None,
) -> HttpResponse:
    standing = queries.standing(budget, now=visit.now)
    before = request.GET.get("before", "")
    entries = queries.entries(budget, standing.state, before=int(before[:18]) if before.isdigit() else None)
    increased = budget.extra_until is not None and budget.extra_until > visit.now
    context: dict[str, Any] = {
        "section": "budgets",
        "standing": standing,
        "budget": budget,
        "increased": increased,
        "holds": queries.holds(budget),
        "windows": queries.windows(budget),
        "entries": entries[: queries.ENTRIES],
        "older": entries[queries.ENTRIES - 1].pk if len(entries) > queries.ENTRIES else None,
        "form": form or BudgetTermsForm.of(budget),
        "increase_form": increase_form or IncreaseForm(budget, until=visit.now + timedelta(days=1)),
        "increase_faulty": increase_form is not None,
    }
    return show(request, visit, "budget", context, status=422 if form or increase_form else 200)


def _budget(visit: Visit, budget_id: int) -> Budget:
    budget = queries.one(visit.project, budget_id)
    if budget is None:
        raise Http404("There is no such budget in this project.")
    return budget
