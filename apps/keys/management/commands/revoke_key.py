"""`bin/manage revoke_key ID`: end a key at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.keys import services


class Command(BaseCommand):
    """Its jobs and open sockets end with it."""

    help = "Revoke an API key by its id. Acts within a second; its jobs and open sockets are ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="The key's id: the 12 characters after ccs_live_.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = services.find(public_id=options["id"])
        except services.KeyNotFound as error:
            raise CommandError(f"{str(error).capitalize()}.") from error
        if services.revoke(key=key, actor="command:revoke_key", now=timezone.now()):
            self.stdout.write(f"Key {key.public_id} of project {key.project.slug} is revoked.")
        else:
            self.stdout.write(f"Key {key.public_id} was already revoked at {key.revoked_at:%Y-%m-%d %H:%M:%S %Z}.")
