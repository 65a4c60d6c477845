"""`bin/manage ledger_verify`: are the counters the ledger's sums, and the ledger what the jobs cost?"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.budgets.verifying import Report, verify


class Command(BaseCommand):
    """Exit status 1 when anything differs. May run beside the service: it holds nobody up."""

    help = "Prove that budget counters, holds, ledger and egress rows agree; name whatever differs. Status 1 if so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify()
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not report.differences, **asdict(report)}))
        else:
            self._tell(report)
        if report.differences:
            sys.exit(1)

    def _tell(self, report: Report) -> None:
        for difference in report.differences:
            self.stdout.write(str(difference))
        egress = "not compared" if report.metered_jobs is None else f"{report.metered_jobs} jobs"
        seen = f"{report.windows} windows, {report.holds} holds, {report.bills} bills, egress rows: {egress}"
        seen += "".join(f", {what}: {count} groups" for what, count in report.more.items())
        verdict = f"{len(report.differences)} differences" if report.differences else "all agree"
        self.stdout.write(f"{seen}; {verdict}.")
