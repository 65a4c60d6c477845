"""`bin/manage rebuild_usage`: the usage roll-ups, made anew from jobs and egress rows."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.jobs.usage.rebuilding import rebuild


class Command(BaseCommand):
    """For when `ledger_verify` names usage. May run beside the service; on SQLite jobs wait for it to end."""

    help = "Make the usage roll-ups anew from the jobs and what the egress metered; refusals are kept as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = rebuild(actor="command:rebuild_usage", now=timezone.now())
        self.stdout.write(f"{jobs} jobs counted.")
