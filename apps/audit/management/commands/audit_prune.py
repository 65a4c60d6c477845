"""`bin/manage audit_prune --before DATE`: retention that leaves the rest of the record provable."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.audit import moments, retention, services


class Command(BaseCommand):
    """Export first: what is deleted here is nowhere else."""

    help = "Delete audit rows older than a date. A signed cut keeps the rest provable."

    def add_arguments(self, parser: CommandParser) -> None:
        """How much, and whether also what is broken."""
        parser.add_argument("--before", type=moments.parse, required=True, help="2026-11-22 or 2026-11-22T14:30, UTC.")
        parser.add_argument(
            "--broken-too", action="store_true", help="Also delete rows that do not prove themselves any more."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal, delete, tell."""
        now = timezone.now()
        if options["before"] > now:
            raise CommandError("--before lies in the future; that would delete the whole record.")
        services.seal(now=now)
        try:
            pruned = retention.prune(
                before=options["before"], actor="command:audit_prune", broken_too=options["broken_too"], now=now
            )
        except retention.Broken as broken:
            raise CommandError(
                f"The rows to delete are broken, and with them the evidence would go. {broken} "
                "Look into it with audit_verify, keep a copy, then use --broken-too."
            ) from broken
        self.stdout.write(f"{pruned.rows} rows deleted, up to position {pruned.position}.")
