"""Members: who works in the project, and as what. Owners add, change and remove; others see who there is."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.dashboard.forms import MemberForm, RoleForm
from apps.dashboard.queries import members as queries
from apps.dashboard.shell import show
from apps.dashboard.visits import Visit, page
from apps.keys import members
from apps.keys.models import Membership, Role


@require_GET
@page()
def index(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The list."""
    return _members_page(request, visit)


@require_POST
@page(Role.OWNER)
def add(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Give somebody who can log in already a role."""
    form = MemberForm(request.POST)
    if form.is_valid():
        person, role = form.cleaned_data["person"], Role(form.cleaned_data["role"])
        try:
            members.add(project=visit.project, user=person, role=role, **visit.deed)
        except members.AlreadyMember as error:
            form.add_error("person", str(error))
        else:
            messages.success(request, f"{person.get_username()} is {role} of {visit.project.slug}.")
            return redirect("dashboard:members", visit.project.slug)
    return _members_page(request, visit, form=form)


@require_POST
@page(Role.OWNER)
def change(request: HttpRequest, visit: Visit, member_id: int) -> HttpResponse:
    """Give a member another role."""
    membership, form = _member(visit, member_id), RoleForm(request.POST)
    name = membership.user.get_username()
    if not form.is_valid():
        messages.error(request, "Choose one of the roles.")
        return redirect("dashboard:members", visit.project.slug)
    role = Role(form.cleaned_data["role"])
    try:
        changed = members.change(membership=membership, role=role, **visit.deed)
    except (members.LastOwner, members.NotMember) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{name} is {role} now." if changed else f"{name} was {role} already.")
    return redirect("dashboard:members", visit.project.slug)


@require_POST
@page(Role.OWNER)
def remove(request: HttpRequest, visit: Visit, member_id: int) -> HttpResponse:
    """End somebody's role; their open pages stop being told anything at once."""
    membership = _member(visit, member_id)
    try:
        members.remove(membership=membership, **visit.deed)
    except (members.LastOwner, members.NotMember) as error:
        messages.error(request, str(error))
        return redirect("dashboard:members", visit.project.slug)
    messages.success(request, f"{membership.user.get_username()} is no member of {visit.project.slug} any more.")
    gone = membership.user_id == visit.user.pk and not visit.user.is_superuser
    return redirect("dashboard:home") if gone else redirect("dashboard:members", visit.project.slug)


def _members_page(request: HttpRequest, visit: Visit, *, form: MemberForm | None = None) -> HttpResponse:
    found = queries.listed(visit.project, before=request.GET.get("before", ""))
    context = {
        "section": "members",
        "rows": found.members,
        "older": found.older,
        "roles": queries.ROLES,
        "form": form or MemberForm(),
    }
    return show(request, visit, "members", context, status=422 if form else 200)


def _member(visit: Visit, member_id: int) -> Membership:
    membership = queries.one(visit.project, member_id)
    if membership is None:
        raise Http404("There is no such member in this project.")
    return membership
