"""`bin/manage doctor [--json] [--call]`: try everything the service stands on, one by one."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from apps.claude.doctor import Check, examine
from apps.jobs import engines, health, valkey

_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


class Command(BaseCommand):
    """Exit status 0 when nothing failed; warnings do not count."""

    help = "Try the CLI, the jail, the egress, each undocumented feature, the credential, Valkey and the database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Two switches."""
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
        parser.add_argument("--call", action="store_true", help="ask the cheapest model one question; it is billed")

    def handle(self, **options: Any) -> None:
        """Try, print, exit."""
        checks = [*examine(engines.config(), call=options["call"]), _database(), *_valkey()]
        failed = any(check.state == "fail" for check in checks)
        if options["json"]:
            rows = [{"name": check.name, "state": check.state, "detail": check.detail} for check in checks]
            self.stdout.write(json.dumps({"ok": not failed, "checks": rows}, indent=2))
        else:
            for check in checks:
                self.stdout.write(f"{_SIGNS[check.state]}  {check.name:<11} {check.detail}")
        if failed:
            raise SystemExit(1)


def _database() -> Check:
    try:
        waited = health.oldest_pending_seconds(now=timezone.now())
    except DatabaseError as error:
        return Check("database", "fail", f"{str(error).splitlines()[0]}; bin/serve and bin/manage migrate prepare it")
    return Check("database", "ok", f"{connection.vendor}; the oldest queued job waits {waited:.0f} s")


def _valkey() -> list[Check]:
    try:
        workers = health.workers(now=timezone.now())
    except valkey.ERRORS as error:
        return [Check("valkey", "fail", f"{error}; bin/serve starts one, or set REDIS_URL")]
    alive = Check("valkey", "ok", "answers")
    if not workers:
        return [alive, Check("workers", "warn", "none is running; bin/serve or bin/manage run_workers starts them")]
    return [alive, Check("workers", "ok", f"{len(workers)} running")]
