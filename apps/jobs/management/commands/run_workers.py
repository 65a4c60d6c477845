"""`manage.py run_workers`: the workers of this node and their supervisor."""

import os
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.jobs.supervisor import Supervisor


class Command(BaseCommand):
    help = "Runs the workers of this node until SIGTERM; then running jobs have DRAIN_SECONDS to end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--workers", type=int, help="worker processes; default: the setting WORKERS, else one for four cores"
        )

    def handle(self, *_args: object, workers: int | None = None, **_options: object) -> None:
        # The CLI does nearly all the computing: one event loop keeps four cores of it busy, and one process reuses the
        # live CLIs of a project better than two.
        Supervisor(workers=workers or settings.WORKERS or max(1, (os.cpu_count() or 1) // 4)).run()
