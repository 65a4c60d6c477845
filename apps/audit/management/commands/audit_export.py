"""`bin/manage audit_export`: the record as JSON lines, ending in the chain's head."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.audit import exporting, moments, services


class Command(BaseCommand):
    """Reads row by row: memory does not grow with the record."""

    help = "Write audit rows as JSON lines. The last line holds the chain's head, for audit_verify --head."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which rows, and where to."""
        parser.add_argument("--since", type=moments.parse, help="From this time on: 2026-11-22 or 2026-11-22T14:30.")
        parser.add_argument("--until", type=moments.parse, help="Before this time.")
        parser.add_argument("--project", default="", help="Only rows of the project with this slug.")
        parser.add_argument(
            "--out", type=Path, help="A file, written whole or not at all. Without it, standard output."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Record the export, seal, write."""
        now = timezone.now()
        limits = {name: options[name] for name in ("since", "until", "project") if options[name]}
        services.record(
            actor="command:audit_export", action="audit.exported", target_type="audit", data=limits, now=now
        )
        head = services.seal(now=now)
        count = 0
        with self._destination(options["out"]) as write:
            for line in exporting.json_lines(exporting.chosen(**limits, up_to=head.position)):
                write(line)
                count += 1
            write(exporting.last_line(head, rows=count))
        self.stderr.write(f"{count} rows, up to position {head.position}.")

    @contextmanager
    def _destination(self, path: Path | None) -> Iterator[Callable[[str], object]]:
        if path is None:
            yield self.stdout.write
            return
        part = path.with_name(f".{path.name}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                yield lambda line: file.write(f"{line}\n")
            part.replace(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
