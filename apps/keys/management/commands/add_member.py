"""`bin/manage add_member PROJECT USER`: give a person a role in a project, or another one."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.keys import members
from apps.keys.models import Membership, Project, Role


class Command(BaseCommand):
    """The person must be able to log in already: `bin/manage createsuperuser`, or Users in the admin."""

    help = "Give a user a role in a project, or change the one they have."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="The project's slug.")
        parser.add_argument("user", help="The user's name.")
        parser.add_argument("--role", choices=Role.values, default=Role.MEMBER.value, help="Default: member.")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        user = User.objects.filter(username=options["user"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}. Make one in the admin first.")
        role = Role(options["role"])
        deed: dict[str, Any] = {"actor": "command:add_member", "now": timezone.now()}
        known = Membership.objects.filter(project=project, user=user).first()
        try:
            if known is None:
                members.add(project=project, user=user, role=role, **deed)
            else:
                members.change(membership=known, role=role, **deed)
        except (members.LastOwner, members.AlreadyMember, members.NotMember) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.get_username()} is {role} of {project.slug}.")
