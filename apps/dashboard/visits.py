"""Who looks at a page, and what they may see and do there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from apps.keys import members
from apps.keys.models import Project, ProjectQuerySet, Role, oversees

RANK = {Role.VIEWER: 0, Role.MEMBER: 1, Role.OWNER: 2}
LISTED = 50
"""Projects that the switcher offers; the others are found by their address."""

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A person at a project."""

    user: User
    project: Project
    role: Role
    now: datetime
    ip: str | None

    def may(self, role: Role) -> bool:
        """Whether they are that much in the project, or more."""
        return RANK[self.role] >= RANK[role]

    @property
    def reads_record(self) -> bool:
        """Whether they may read what was done in the project: its owners, and staff, who see everything."""
        return self.owns or oversees(self.user)

    @property
    def as_what(self) -> str:
        """Their role, as the page names it."""
        staff = oversees(self.user) and self.role == Role.VIEWER
        return f"staff, who view {self.project.slug}" if staff else f"{self.role} of {self.project.slug}"

    @property
    def owns(self) -> bool:
        """Manages keys, budgets and members."""
        return self.may(Role.OWNER)

    @property
    def works(self) -> bool:
        """Uses the project: runs and cancels jobs."""
        return self.may(Role.MEMBER)

    @property
    def actor(self) -> str:
        """As the record names them."""
        return f"user:{self.user.get_username()}"

    @property
    def deed(self) -> dict[str, Any]:
        """What every audited verb wants to know."""
        return {"actor": self.actor, "now": self.now, "ip": self.ip}

    def projects(self) -> list[Project]:
        """Where else they may go, by slug."""
        return list(Project.objects.of(self.user).order_by("slug")[:LISTED])


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A person who looks at all the projects they may see at once."""

    user: User
    now: datetime
    ids: Sequence[int] | None
    """Those projects; None: all there are."""

    @property
    def as_what(self) -> str:
        """What they are here, as the page names it."""
        return "staff, who see every project" if self.ids is None else f"in {len(self.ids)} projects"

    def of(self) -> ProjectQuerySet:
        """The projects."""
        return Project.objects.of(self.user)

    def projects(self) -> list[Project]:
        """The first of them, by slug."""
        return list(self.of().order_by("slug")[:LISTED])


Page = Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase]


def page(role: Role = Role.VIEWER, *, or_staff: bool = False) -> Callable[[Page[P]], Callable[..., HttpResponseBase]]:
    """For views of `/p/<slug>/…`: somebody who is logged in and at least that much in the project.

    A project that they may not see does not exist; what they may not do there is refused. `or_staff`: staff may too,
    for it changes nothing.
    """

    def guard(view: Page[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            needed = Role.VIEWER if or_staff and oversees(request.user) else role
            return view(request, visit(request, slug, needed), *args, **kwargs)

        return guarded

    return guard


def everywhere(
    view: Callable[Concatenate[HttpRequest, Survey, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """For views of `/all/…`: somebody who is logged in, over the projects that they may see, which may be none."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, survey(request.user), *args, **kwargs)

    return guarded


def survey(user: AbstractBaseUser | AnonymousUser) -> Survey:
    """All that somebody who is logged in may see."""
    assert isinstance(user, User)
    ids = None if oversees(user) else list(Project.objects.of(user).order_by("pk").values_list("pk", flat=True))
    return Survey(user=user, now=timezone.now(), ids=ids)


def visit(request: HttpRequest, slug: str, role: Role = Role.VIEWER) -> Visit:
    """The visit of somebody who is logged in. Raises Http404 or PermissionDenied."""
    return visit_of(request.user, slug, role=role, ip=address(request))


def visit_of(
    user: AbstractBaseUser | AnonymousUser, slug: str, *, role: Role = Role.VIEWER, ip: str | None = None
) -> Visit:
    """The same for a person who came otherwise. Raises Http404 or PermissionDenied."""
    project = Project.objects.filter(slug=slug).first()
    theirs = members.role_of(user=user, project=project) if project else None
    if project is None or theirs is None:
        raise Http404("There is no such project, or it is not yours.")
    assert isinstance(user, User)
    there = Visit(user=user, project=project, role=theirs, now=timezone.now(), ip=ip)
    if not there.may(role):
        raise PermissionDenied(f"This takes the role {role} in {project.slug}; yours is {theirs}.")
    return there


def address(request: HttpRequest) -> str | None:
    """The visitor's address."""
    return request.META.get("REMOTE_ADDR") or None
