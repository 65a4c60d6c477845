"""Keys: issue, change, rotate, revoke. A secret is shown once, in the answer to the click that made it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.dashboard import ranges
from apps.dashboard.forms import KeyForm, RotateForm, take_faults
from apps.dashboard.queries import budgets, jobs
from apps.dashboard.queries import keys as queries
from apps.dashboard.queries import usage as usages
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.jobs.usage import Scope
from apps.keys import ratelimit, rotation, services
from apps.keys.models import ApiKey, Role


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list, with what each key used."""
    period = ranges.read(request.GET, now=visit.now)
    state = request.GET.get("state", "usable")
    found = queries.listed(visit.project, state=state, before=request.GET.get("before", ""), now=visit.now)
    used = queries.used(visit.project, period)
    context = {
        "section": "keys",
        "rows": [(key, used.get(key.public_id)) for key in found.keys],
        "older": found.older,
        "state": state,
        "states": queries.STATES,
        **ranges.context(period, compares=False),
    }
    return show(request, visit, "keys", context)


@require_http_methods(["GET", "POST"])
@page(Role.OWNER)
def new(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Issue one."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = services.issue_on(project=visit.project, terms=form.terms(), **visit.deed)
        except ValidationError as error:
            take_faults(form, error)
        except ValueError as error:
            form.add_error("expires_at", str(error))
        else:
            return _issued(request, visit, key, secret)
    return show(request, visit, "key_form", {"section": "keys", "form": form})


@require_GET
@page()
def one(request: HttpRequest, visit: Visit, public_id: str) -> HttpResponse:
    """A key: its state, limits, use, budgets and newest jobs."""
    return _key_page(request, visit, _key(visit, public_id))


@require_POST
@page(Role.OWNER)
def change(request: HttpRequest, visit: Visit, public_id: str) -> HttpResponse:
    """Give it other terms."""
    key = _key(visit, public_id)
    form = KeyForm.of(key, request.POST)
    if form.is_valid():
        try:
            changed = services.change(key=key, terms=form.terms(), **visit.deed)
        except ValidationError as error:
            take_faults(form, error)
        else:
            messages.success(request, "Saved; it counts within a second." if changed else "Nothing differed.")
            return redirect("dashboard:key", visit.project.slug, public_id)
    return _key_page(request, visit, key, form=form, status=422)


@require_POST
@page(Role.OWNER)
def rotate(request: HttpRequest, visit: Visit, public_id: str) -> HttpResponse:
    """A successor on the same terms."""
    key, form = _key(visit, public_id), RotateForm(request.POST)
    if not form.is_valid():
        return _key_page(request, visit, key, status=422)
    try:
        fresh, secret = rotation.rotate(key=key, overlap=form.value(), **visit.deed)
    except rotation.NotRotatable as error:
        messages.error(request, str(error))
        return redirect("dashboard:key", visit.project.slug, public_id)
    return _issued(request, visit, fresh, secret, old=key)


@require_POST
@page(Role.OWNER)
def revoke(request: HttpRequest, visit: Visit, public_id: str) -> HttpResponse:
    """End it now."""
    key = _key(visit, public_id)
    if services.revoke(key=key, **visit.deed):
        messages.success(request, f"Revoked {key.name}. Its jobs and sockets end now.")
    else:
        messages.info(request, "It had been revoked already.")
    return redirect("dashboard:key", visit.project.slug, public_id)


def _key_page(
    request: HttpRequest, visit: Visit, key: ApiKey, *, form: KeyForm | None = None, status: int = 200
) -> HttpResponse:
    period = ranges.read(request.GET, now=visit.now)
    scope = Scope([visit.project.pk], key_id=key.pk)
    found = jobs.listed(visit.project, jobs.Filters(key=key.public_id), size=10)
    context: dict[str, Any] = {
        "section": "keys",
        "key": key,
        "usable": key.is_usable(now=visit.now),
        "used": usages.total(scope, period),
        "by_model": usages.top(scope, period, "model"),
        "rate": ratelimit.peek(key=key, now=visit.now.timestamp()),
        "standings": [
            each for each in budgets.standings(visit.project, now=visit.now) if each.budget.api_key_id == key.pk
        ],
        "rows": [(job, jobs.prompt_of(job)) for job in found.jobs],
        "filters": jobs.Filters(),
        "form": form or KeyForm.of(key),
        "faulty": form is not None,
        "rotate_form": RotateForm(),
        **ranges.context(period, compares=False),
    }
    return show(request, visit, "key", context, status=status)


def _issued(request: HttpRequest, visit: Visit, key: ApiKey, secret: str, old: ApiKey | None = None) -> HttpResponse:
    context = {"section": "keys", "key": key, "secret": secret, "old": old}
    response = show(request, visit, "key_issued", context, status=201)
    add_never_cache_headers(response)
    return response


def _key(visit: Visit, public_id: str) -> ApiKey:
    key = queries.one(visit.project, public_id)
    if key is None:
        raise Http404("There is no such key in this project.")
    return key
