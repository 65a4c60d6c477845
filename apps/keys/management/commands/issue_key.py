"""`bin/manage issue_key PROJECT`: a new key, its project made if it is new."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.keys import services
from apps.keys.rates import Limits
from apps.keys.terms import Terms
from apps.permissions.models import Profile

_LIMITS = {
    "requests-per-minute": "Requests in any 60 seconds.",
    "tokens-per-minute": "Tokens of all kinds in any 60 seconds.",
    "concurrent-jobs": "Jobs queued and running at a time.",
}
"""In the order of `Limits`."""


class Command(BaseCommand):
    """Prints the key once; nothing can show it again."""

    help = "Issue an API key for a project, which is made if it is new. The key is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="The project's slug, such as my-app.")
        parser.add_argument("--name", default="default", help="What the key is for, as lists show it.")
        parser.add_argument("--profile", help="The profile's slug. Without it the default profile.")
        for name, what in _LIMITS.items():
            parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{what} Without it no limit of its own.")
        parser.add_argument("--default-model", default="", help="For requests that name none.")
        parser.add_argument("--json", action="store_true", help="Print {key, id, project} as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        profile = self._profile(options["profile"])
        if not 1 <= len(options["name"]) <= 100:
            raise CommandError("--name takes 1 to 100 characters.")
        try:
            project, _ = services.ensure_project(slug=options["project"], actor="command:issue_key", now=now)
        except ValidationError as error:
            raise CommandError(f"{options['project']!r} is not a project's slug. {' '.join(error.messages)}") from error
        limits = Limits(*(options[name.replace("-", "_")] for name in _LIMITS))
        terms = Terms(name=options["name"], profile=profile, limits=limits, default_model=options["default_model"])
        try:
            key, secret = services.issue_on(project=project, terms=terms, actor="command:issue_key", now=now)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"key": secret, "id": key.public_id, "project": project.slug}))
        else:
            self.stdout.write(f"{secret}\n")
            self.stderr.write(f"Key {key.public_id} of project {project.slug}. Keep it: it is not shown again.")

    def _profile(self, slug: str | None) -> Profile | None:
        if slug is None:
            return None
        try:
            return Profile.objects.get(slug=slug)
        except Profile.DoesNotExist:
            known = ", ".join(Profile.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"There is no profile {slug!r}. Known: {known or 'none'}.") from None
