"""What pages ask of members."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.keys.models import Membership, Project, Role

PAGE = 100
ROLES = {
    Role.OWNER: "Manages keys, budgets and members, and reads the record",
    Role.MEMBER: "Uses it: playground, cancelling, approving tools",
    Role.VIEWER: "Sees it",
}


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of members, the newest first, and what the next one begins below."""

    members: Sequence[Membership]
    older: int | None


def listed(project: Project, *, before: str) -> Slice:
    """A page of the project's members. One query."""
    members = Membership.objects.filter(project=project).select_related("user").order_by("-pk")
    if before.isdigit():
        members = members.filter(pk__lt=int(before[:18]))
    found = list(members[: PAGE + 1])
    return Slice(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def one(project: Project, member_id: int) -> Membership | None:
    """A member of the project."""
    return Membership.objects.filter(project=project, pk=member_id).select_related("user", "project").first()
