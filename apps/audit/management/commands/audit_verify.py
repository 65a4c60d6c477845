"""`bin/manage audit_verify`: proves the record, or names the first row that is not as it was written."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.audit import chain, services
from apps.audit.verification import Report, verify

BROKEN, UNREADABLE = 1, 2


class Command(BaseCommand):
    """Exit status 0: whole; 1: broken; 2: the head that was given cannot be read."""

    help = "Check every audit row, the chain and its anchors. Exit status 0: whole, 1: broken, 2: unreadable head."

    def add_arguments(self, parser: CommandParser) -> None:
        """A head from elsewhere, and the form of the answer."""
        parser.add_argument("--head", type=Path, help="A file by audit_head or audit_export: it must still fit.")
        parser.add_argument("--json", action="store_true", help="Print the whole report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal, check, tell."""
        heads = [(options["head"].name, _read_head(options["head"]))] if options["head"] else []
        services.seal(now=timezone.now())
        report = verify(heads=heads)
        if options["json"]:
            self.stdout.write(json.dumps(report.to_json()))
        else:
            self._tell(report)
        if not report.whole:
            raise CommandError(f"The audit record is broken. {report.findings[0]}", returncode=BROKEN)

    def _tell(self, report: Report) -> None:
        for finding in report.findings:
            self.stdout.write(f"- {finding}")
        if report.broken > len(report.findings):
            self.stdout.write(f"- and {report.broken - len(report.findings)} more")
        for note in report.notes:
            self.stdout.write(note)
        after = f" after the retention cut at {report.cut}" if report.cut else ""
        verdict = "The audit record is whole" if report.whole else f"{report.broken} findings"
        self.stdout.write(
            f"{verdict}: {report.rows} rows{after}, up to position {report.last}; "
            f"{report.unsealed} not sealed yet; {report.anchors} anchored heads."
        )


def _read_head(path: Path) -> chain.Head:
    """The head in the last line of a file. Raises CommandError."""
    try:
        lines = path.read_text().strip().splitlines()
        data = json.loads(lines[-1] if lines else "")
        return chain.Head.from_json(data.get("head", data) if isinstance(data, dict) else data, chain.keyring())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=UNREADABLE) from error
    except (ValueError, chain.BadHead) as error:
        raise CommandError(f"{path} ends in no head of this install: {error}", returncode=UNREADABLE) from error
