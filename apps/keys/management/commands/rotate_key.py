"""`bin/manage rotate_key ID`: a successor for a key, while the old one works on for a while."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.keys import rotation, services


class Command(BaseCommand):
    """Prints the new key once; nothing can show it again."""

    help = "Issue a successor for an API key, on the same terms. The old key works on for a while. Shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="The key's id: the 12 characters after ccs_live_.")
        parser.add_argument(
            "--overlap-hours", type=float, default=24.0, help="How long the old key works on. 0 revokes it. Default 24."
        )
        parser.add_argument("--json", action="store_true", help="Print {key, id, project, rotated_from} as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            old = services.find(public_id=options["id"])
            overlap = timedelta(hours=options["overlap_hours"])
            key, secret = rotation.rotate(key=old, overlap=overlap, actor="command:rotate_key", now=timezone.now())
        except (services.KeyNotFound, rotation.NotRotatable) as error:
            text = str(error).rstrip(".")
            raise CommandError(f"{text[0].upper()}{text[1:]}.") from error
        except (ValueError, OverflowError) as error:
            most = int(rotation.LONGEST_OVERLAP.total_seconds() // 3600)
            raise CommandError(f"--overlap-hours takes 0 to {most}.") from error
        if options["json"]:
            facts = {"key": secret, "id": key.public_id, "project": key.project.slug, "rotated_from": old.public_id}
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(f"{secret}\n")
            self.stderr.write(f"Key {key.public_id} replaces {old.public_id}. Keep it: it is not shown again.")
