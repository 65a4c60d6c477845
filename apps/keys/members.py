"""Who works in a project. Every deed is recorded; a project that has owners keeps one."""

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import IntegrityError, transaction

from apps.keys import records
from apps.keys.models import Membership, Project, Role, oversees


class AlreadyMember(Exception):
    """The person has a role in the project: change that one."""


class NotMember(Exception):
    """The person has no role in the project."""


class LastOwner(Exception):
    """The project would be left without an owner: make somebody else one first."""


def add(*, project: Project, user: User, role: Role, actor: str, now: datetime, ip: str | None = None) -> Membership:
    """Give a person a role in a project. Raises AlreadyMember."""
    try:
        with transaction.atomic():
            membership = Membership.objects.create(project=project, user=user, role=role, created_at=now)
            data = {"member": user.get_username(), "after": {"role": str(role)}}
            records.of_project("member.added", project, data, actor=actor, now=now, ip=ip)
    except IntegrityError:
        raise AlreadyMember(f"{user.get_username()} is a member of {project.slug} already.") from None
    return membership


def change(*, membership: Membership, role: Role, actor: str, now: datetime, ip: str | None = None) -> bool:
    """Give a member another role; False if it is the one they have. Raises LastOwner or NotMember."""
    with transaction.atomic():
        row = _locked(membership)
        if row.role == role:
            return False
        _require_another_owner(row)
        before, row.role = row.role, role
        row.save(update_fields=["role"])
        data = {"member": row.user.get_username(), "before": {"role": before}, "after": {"role": str(role)}}
        records.of_project("member.changed", row.project, data, actor=actor, now=now, ip=ip)
    membership.role = role
    return True


def remove(*, membership: Membership, actor: str, now: datetime, ip: str | None = None) -> None:
    """End a person's role. Raises LastOwner or NotMember."""
    with transaction.atomic():
        row = _locked(membership)
        _require_another_owner(row)
        Membership.objects.filter(pk=row.pk).delete()
        data = {"member": row.user.get_username(), "before": {"role": row.role}}
        records.of_project("member.removed", row.project, data, actor=actor, now=now, ip=ip)


def projects_of(user: AbstractBaseUser | AnonymousUser) -> list[Project]:
    """The projects the person may see, by slug. To narrow further, begin with `Project.objects.of(user)`."""
    return list(Project.objects.of(user).order_by("slug"))


def role_of(*, user: AbstractBaseUser | AnonymousUser, project: Project) -> Role | None:
    """What the person is in the project: a superuser owns every one, staff view each in which they are nothing else.

    None: they must not learn that it exists.
    """
    if not user.is_authenticated or not user.is_active:
        return None
    if getattr(user, "is_superuser", False):
        return Role.OWNER
    role = Membership.objects.filter(project=project, user_id=user.pk).values_list("role", flat=True).first()
    if role is None and oversees(user):
        return Role.VIEWER
    return Role(role) if role else None


def _locked(membership: Membership) -> Membership:
    """The row as it is now. The project's row is locked first: two owners cannot remove each other at once."""
    Project.objects.select_for_update().get(pk=membership.project_id)
    row = Membership.objects.select_related("project", "user").filter(pk=membership.pk).first()
    if row is None:
        raise NotMember("This member has been removed already.")
    return row


def _require_another_owner(row: Membership) -> None:
    others = Membership.objects.owners().filter(project=row.project).exclude(pk=row.pk)
    if row.role == Role.OWNER and not others.exists():
        raise LastOwner(f"{row.user.get_username()} is the last owner of {row.project.slug}: make somebody else one.")
